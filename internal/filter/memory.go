package filter

import (
	"fmt"
	"unsafe"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// mapping is a map's memory: what is stored there is what the programs read, without a system call.
type mapping[T any] struct {
	bytes []byte
	items []T
}

// mapMemory maps an array map whose elements have the layout of T.
func mapMemory[T any](m *ebpf.Map) (mapping[T], error) {
	var zero T
	size, n := int(unsafe.Sizeof(zero)), int(m.MaxEntries())
	if size%8 != 0 || size != int(m.ValueSize()) {
		return mapping[T]{}, fmt.Errorf("map %s: element of %d bytes does not match %d", m, size, m.ValueSize())
	}
	page := unix.Getpagesize()
	b, err := unix.Mmap(m.FD(), 0, (size*n+page-1)/page*page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return mapping[T]{}, fmt.Errorf("map memory of %s: %w", m, err)
	}
	return mapping[T]{bytes: b, items: unsafe.Slice((*T)(unsafe.Pointer(&b[0])), n)}, nil
}

func (m *mapping[T]) close() {
	if m.bytes != nil {
		_ = unix.Munmap(m.bytes)
	}
	*m = mapping[T]{}
}
