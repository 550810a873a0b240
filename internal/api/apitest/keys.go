package apitest

import (
	"context"

	"github.com/muster-ha/muster/internal/api"
)

// Keys implements api.Agent. Every order to rotate gives the networks another key, which all hosts use when they are asked for the
// second time.
func (f *Fake) Keys(context.Context) (api.Keys, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.rotated == 0 {
		return SampleKeys(), nil
	}
	f.rotated++
	return RotatedKeys(f.rotated > 2), nil
}

// RotateKeys implements api.Agent.
func (f *Fake) RotateKeys(_ context.Context, network string) error {
	err := f.note("rotate %q", network)
	f.mu.Lock()
	defer f.mu.Unlock()
	if err == nil {
		f.rotated++
	}
	return err
}

// SampleKeys are keys with one of everything.
func SampleKeys() api.Keys {
	return api.Keys{Host: "a", Secret: api.SecretKeys{ID: "2480822d", Other: "77c0ffee", Waits: []string{"b"}},
		Networks: []api.NetworkKeys{
			{Network: "lan", Responsible: "a", Sign: "9f0c11aa", Newest: "51f2a7b3", NextMS: new(2520000.0),
				Keys: []api.KeyStatus{{ID: "9f0c11aa", AgeMS: 1080000, SignedBy: []string{"a", "b"}, HeldBy: []string{"a", "b"}},
					{ID: "51f2a7b3", AgeMS: 40, SignedBy: []string{}, HeldBy: []string{"a"}}},
				Hosts: []api.HostKeys{{Host: "a", Known: true, Sign: "9f0c11aa", Newest: "51f2a7b3"}, {Host: "b", Known: true, Sign: "9f0c11aa", Newest: "9f0c11aa"}, {Host: "c"}}},
			{Network: "cross", Why: "host d has a version that knows of no others", Keys: []api.KeyStatus{}, Hosts: []api.HostKeys{{Host: "a", Known: true}, {Host: "b"}, {Host: "c"}}},
		}}
}

// RotatedKeys are the keys after a rotation, on the way or done.
func RotatedKeys(done bool) api.Keys {
	other := "9f0c11aa"
	if done {
		other = "51f2a7b3"
	}
	return api.Keys{Host: "a", Secret: api.SecretKeys{ID: "2480822d", Waits: []string{}},
		Networks: []api.NetworkKeys{{Network: "lan", Responsible: "a", Sign: "51f2a7b3", Newest: "51f2a7b3", Agreed: done, NextMS: new(3600000.0),
			Keys:  []api.KeyStatus{{ID: "51f2a7b3", AgeMS: 60, SignedBy: []string{"a"}, HeldBy: []string{"a", "b"}}},
			Hosts: []api.HostKeys{{Host: "a", Known: true, Sign: "51f2a7b3", Newest: "51f2a7b3"}, {Host: "b", Known: true, Sign: other, Newest: "51f2a7b3"}}}}}
}
