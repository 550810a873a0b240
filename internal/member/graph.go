package member

// graph is who is linked with whom: a set for each host, without the host itself. Links are the same in both directions, unless a
// function says that it takes what each host says.
type graph [MaxHosts]Set

// turned is the graph with every link the other way round: those of whom each host is said to be linked with it. It exchanges ever smaller
// blocks of the matrix: a look at each of 1,024 links would be most of what a heartbeat costs in a large cluster.
func (g *graph) turned() graph {
	t := *g
	for width, low := ID(MaxHosts/2), Set(1)<<(MaxHosts/2)-1; width > 0; width, low = width/2, low^low<<(width/2) {
		for row := ID(0); row < ID(MaxHosts); row = (row + width + 1) &^ width {
			swap := (t[row]>>width ^ t[row+width]) & low
			t[row] ^= swap << width
			t[row+width] ^= swap
		}
	}
	return t
}
