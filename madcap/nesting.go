package madcap

import "fmt"

// Nesting is the Multicast Scope Nesting State option (RFC 2907): which scopes of the scope list beside it lie within which. Two that lie
// within each other have the same border. What is not known counts as not nested.
type Nesting struct {
	n      int
	inside []bool // row x, column y: scope x nests inside scope y
}

// NewNesting returns the state for n scopes (at most 255) of which each pair {x, y} says that the x-th nests inside the y-th, counted
// from 0. What follows from that is added: x in y and y in z make x in z. Indices out of range are ignored.
func NewNesting(n int, pairs ...[2]int) Nesting {
	o := Nesting{n, make([]bool, n*n)}
	for _, p := range pairs {
		if min(p[0], p[1]) >= 0 && max(p[0], p[1]) < n {
			o.inside[p[0]*n+p[1]] = true
		}
	}
	for via := range n {
		for x := range n {
			for y := range n {
				o.inside[x*n+y] = o.inside[x*n+y] || o.inside[x*n+via] && o.inside[via*n+y]
			}
		}
	}
	return o
}

// Len returns the number of scopes.
func (o Nesting) Len() int { return o.n }

// Nests tells whether the x-th scope of the list nests inside the y-th. Each nests inside itself.
func (o Nesting) Nests(x, y int) bool {
	if min(x, y) < 0 || max(x, y) >= o.n {
		return false
	}
	return x == y || o.inside[x*o.n+y]
}

// Code returns [OptNesting].
func (Nesting) Code() OptionCode { return OptNesting }

// rowSize is the length of a row: one bit for each other scope, filled up to an octet (RFC 2907, section 5).
func rowSize(n int) int { return (n - 1 + 7) / 8 }

// bit returns where in a row the bit for column y stands: the diagonal is left out.
func bit(x, y int) (octet int, mask byte) {
	if y > x {
		y--
	}
	return y / 8, 0x80 >> (y % 8)
}

func (o Nesting) appendTo(b []byte, _ Family) ([]byte, error) {
	if o.n > 255 {
		return nil, &OptionError{o.Code(), fmt.Sprintf("%d scopes", o.n)}
	}
	b = append(b, byte(o.n))
	for x := range o.n {
		row := make([]byte, rowSize(o.n))
		for y := range o.n {
			if octet, mask := bit(x, y); x != y && o.inside[x*o.n+y] {
				row[octet] |= mask
			}
		}
		b = append(b, row...)
	}
	return b, nil
}

func (r *reader) nesting() Nesting {
	n := r.u8()
	if n > 0 && len(r.b) != n*rowSize(n) {
		r.fail("%d octets for %d scopes", len(r.b), n)
		r.b = nil
		return Nesting{}
	}
	o := Nesting{n, make([]bool, n*n)}
	for x := range n {
		row := r.take(rowSize(n))
		for y := range n {
			octet, mask := bit(x, y)
			o.inside[x*n+y] = x != y && row[octet]&mask != 0
		}
	}
	return o
}
