package heartbeat

// Fit chooses what to say of holdings in a heartbeat that has budget bytes left for them, beginning with the one at start
// and going round. It returns where to begin the next time, so that everything is said within as many heartbeats as it
// needs. A set of buckets that does not fit on its own is said as HoldsAll, which is true of more and so never breaks a
// connection.
func Fit(holdings []Holding, budget, start int) (fitted []Holding, next int) {
	if len(holdings) == 0 {
		return nil, 0
	}
	start %= len(holdings)
	left := budget - 1 // how many there are
	for i := range holdings {
		at := (start + i) % len(holdings)
		h := holdings[at]
		cost := costAfter(fitted, &h)
		if cost > left && i == 0 && h.Kind == HoldsSome {
			h = Holding{Rule: h.Rule, Config: h.Config, Stamp: h.Stamp, Kind: HoldsAll}
			cost = costAfter(fitted, &h)
		}
		if cost > left {
			return fitted, at
		}
		left -= cost
		fitted = append(fitted, h)
	}
	return fitted, start
}

// costAfter is how many bytes a holding takes behind those that are fitted.
func costAfter(fitted []Holding, h *Holding) int {
	if n := len(fitted); n > 0 && sameRun(&fitted[n-1], h) {
		return h.size()
	}
	return runHead + h.size()
}
