package wire

const (
	windowBits  = 1024
	windowWords = windowBits / 64
)

// window remembers which of the newest 1,024 sequences were taken. What lies before them counts as taken.
type window struct {
	top  uint64 // the highest taken
	bits [windowWords]uint64
}

// startWindow counts everything up to top as taken.
func startWindow(top uint64) window {
	w := window{top: top}
	for i := range w.bits {
		w.bits[i] = ^uint64(0)
	}
	return w
}

// taken reports whether seq was taken before or is too old to tell.
func (w *window) taken(seq uint64) bool {
	if seq > w.top {
		return false
	}
	if w.top-seq >= windowBits {
		return true
	}
	return w.bits[seq/64%windowWords]&(1<<(seq%64)) != 0
}

// take marks seq, which is not taken.
func (w *window) take(seq uint64) {
	if seq > w.top {
		w.advance(seq)
	}
	w.bits[seq/64%windowWords] |= 1 << (seq % 64)
}

// advance forgets what falls out of the window that ends at top, and clears the places of what comes in.
func (w *window) advance(top uint64) {
	if top-w.top >= windowBits {
		w.bits = [windowWords]uint64{}
		w.top = top
		return
	}
	for s := w.top + 1; s <= top; s++ {
		w.bits[s/64%windowWords] &^= 1 << (s % 64)
	}
	w.top = top
}
