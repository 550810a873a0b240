package heartbeat

import (
	"encoding/binary"
	"iter"
	"math/bits"

	"github.com/muster-ha/muster/internal/balance"
)

// form is a way to write a set of buckets; the number follows those of HoldsNone and HoldsAll on the wire.
type form uint8

// The forms. The shortest is used; of equals the first.
const (
	formList   form = 2 + iota // count, then each as the number of buckets left out before it
	formRuns                   // count, then each as the number left out before it and its length less one
	formBitmap                 // a bit each, 64-bit words
)

const bitmapSize = balance.Buckets / 8

// runsOf gives the runs of buckets as the number left out since the run before, and the length. Two runs are never
// neighbours, so between them the number is counted without the one that must be there.
func runsOf(b *balance.Bitmap) iter.Seq2[int, int] {
	return func(yield func(int, int) bool) {
		end := 0
		for first := next(b, 0, true); first < balance.Buckets; first = next(b, end, true) {
			gap := first - end
			if end > 0 {
				gap--
			}
			end = next(b, first, false)
			if !yield(gap, end-first) {
				return
			}
		}
	}
}

// next is the first bucket from on that is in the set, or is not; Buckets if there is none.
func next(b *balance.Bitmap, from int, in bool) int {
	for i := from / 64; i < len(b); i++ {
		w := b[i]
		if !in {
			w = ^w
		}
		if i == from/64 {
			w &= ^uint64(0) << (from % 64)
		}
		if w != 0 {
			return i*64 + bits.TrailingZeros64(w)
		}
	}
	return balance.Buckets
}

// best is the shortest form of a set and its size in bytes.
func best(b *balance.Bitmap) (form, int) {
	asList, asRuns, items, count := 0, 0, 0, 0
	for gap, length := range runsOf(b) {
		listGap := gap
		if count > 0 {
			listGap++
		}
		count++
		items += length
		asList += varintSize(uint64(listGap)) + length - 1
		asRuns += varintSize(uint64(gap)) + varintSize(uint64(length-1))
	}
	asList += varintSize(uint64(items))
	asRuns += varintSize(uint64(count))
	switch {
	case asList <= min(asRuns, bitmapSize):
		return formList, asList
	case asRuns <= bitmapSize:
		return formRuns, asRuns
	}
	return formBitmap, bitmapSize
}

func (f form) append(dst []byte, b *balance.Bitmap) []byte {
	switch f {
	case formList:
		return appendList(dst, b)
	case formRuns:
		return appendRuns(dst, b)
	}
	for _, w := range b {
		dst = binary.BigEndian.AppendUint64(dst, w)
	}
	return dst
}

func appendList(dst []byte, b *balance.Bitmap) []byte {
	dst = binary.AppendUvarint(dst, uint64(b.Count()))
	after := 0
	for i := next(b, 0, true); i < balance.Buckets; i = next(b, i+1, true) {
		dst = binary.AppendUvarint(dst, uint64(i-after))
		after = i + 1
	}
	return dst
}

func appendRuns(dst []byte, b *balance.Bitmap) []byte {
	count := 0
	for range runsOf(b) {
		count++
	}
	dst = binary.AppendUvarint(dst, uint64(count))
	for gap, length := range runsOf(b) {
		dst = binary.AppendUvarint(dst, uint64(gap))
		dst = binary.AppendUvarint(dst, uint64(length-1))
	}
	return dst
}

// buckets takes a set in the form given, which has to be the one that Append would choose.
func (r *reader) buckets(f form) (b balance.Bitmap) {
	switch f {
	case formList:
		r.list(&b)
	case formRuns:
		r.runs(&b)
	case formBitmap:
		for i := range b {
			b[i] = r.u64()
		}
	default:
		r.fail("form of buckets")
		return b
	}
	if should, _ := best(&b); r.err == nil && f != should {
		r.fail("buckets not in their shortest form")
	}
	return b
}

func (r *reader) list(b *balance.Bitmap) {
	at := -1
	for range r.count(balance.Buckets, "buckets") {
		at += 1 + r.count(balance.Buckets, "buckets left out")
		if at >= balance.Buckets || r.err != nil {
			r.fail("bucket")
			return
		}
		b.Set(at)
	}
}

func (r *reader) runs(b *balance.Bitmap) {
	end := 0
	for range r.count(balance.Buckets/2, "runs of buckets") {
		first := end + r.count(balance.Buckets, "buckets left out")
		if end > 0 {
			first++
		}
		end = first + r.count(balance.Buckets, "buckets of a run") + 1
		if end > balance.Buckets || r.err != nil {
			r.fail("run of buckets")
			return
		}
		for i := first; i < end; i++ {
			b.Set(i)
		}
	}
}
