package check

// State is what is known of a resource.
type State uint8

// The states of a check.
const (
	Unknown State = iota // not enough probes yet; counts as not good
	Up
	Down
)

// String gives the state's name for people and JSON.
func (s State) String() string {
	switch s {
	case Up:
		return "up"
	case Down:
		return "down"
	default:
		return "unknown"
	}
}

// counter turns verdicts of single probes into states.
type counter struct {
	fall, rise int // how many in a row; at least 1
	state      State
	streak     int // verdicts in a row that speak against the state
}

// count takes the verdict of one probe and says whether the state changed.
func (c *counter) count(good bool) bool {
	if good == (c.state == Up) && c.state != Unknown {
		c.streak = 0
		return false
	}
	if good && c.state == Unknown {
		return c.become(Up)
	}
	c.streak++
	switch {
	case good && c.streak >= c.rise:
		return c.become(Up)
	case !good && c.streak >= c.fall:
		return c.become(Down)
	}
	return false
}

func (c *counter) become(s State) bool {
	c.state, c.streak = s, 0
	return true
}
