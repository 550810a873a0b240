package heartbeat

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/muster-ha/muster/internal/wire"
)

func drawKeys(t *rapid.T) Keys {
	id := rapid.Map(rapid.Uint32(), func(v uint32) wire.KeyID { return wire.KeyID(v) })
	k := Keys{Base: id.Draw(t, "base")}
	if k.Base == 0 {
		return k
	}
	k.Other = id.Draw(t, "other")
	for network := range rapid.Uint8Max(MaxWords).Draw(t, "networks with keys") {
		k.Words = append(k.Words, KeyWord{Network: network, Sign: id.Draw(t, "sign"), Newest: id.Draw(t, "newest")})
	}
	return k
}

// TestKeysFitBesideFullViews: what hosts say of the keys of all networks has room in the largest cluster, or rotation would stand still.
func TestKeysFitBesideFullViews(t *testing.T) {
	m := usualMessage(32)
	m.Keys.Base, m.Keys.Other = 1, 2
	for network := range uint8(9) {
		m.Words = append(m.Words, Word{Network: network})
		m.Keys.Words = append(m.Keys.Words, KeyWord{Network: network, Sign: 3, Newest: 4})
	}
	b, err := m.appendBase(nil)
	if err != nil {
		t.Fatal(err)
	}
	b = m.appendSections(b, maxSize-holdingsRoom-len(b))
	if b, err = appendHoldings(b, nil); err != nil {
		t.Fatal(err)
	}
	got, err := Parse(b)
	if err != nil || len(got.Keys.Words) != 9 || len(got.Words) != 9 {
		t.Errorf("%d networks with keys and %d words in %d bytes, %v", len(got.Keys.Words), len(got.Words), len(b), err)
	}
}
