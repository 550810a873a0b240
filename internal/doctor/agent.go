package doctor

import (
	"slices"

	"github.com/muster-ha/muster/internal/api"
)

// CheckAgent is what a running agent itself has to say; it is made last, and not before there is an agent.
const CheckAgent = "agent"

// AddStatus adds what the agent on this host says is wrong, or that none answered. What a check has said already is not said again.
func AddStatus(list []Diagnosis, s api.Status, err error) []Diagnosis {
	if err != nil {
		return append(list, Diagnosis{Check: CheckAgent, About: "agent", What: err.Error(), Remedy: "start it (`systemctl start muster`), or use --pre before the first start"})
	}
	for _, p := range s.Problems {
		if !slices.ContainsFunc(list, func(d Diagnosis) bool { return d.What == p.What }) {
			list = append(list, Diagnosis{Check: CheckAgent, About: p.About, What: p.What, Remedy: p.Remedy})
		}
	}
	return list
}

// Bad counts what is wrong; notes do not count.
func Bad(list []Diagnosis) (n int) {
	for _, d := range list {
		if !d.Note {
			n++
		}
	}
	return n
}
