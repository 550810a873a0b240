package heartbeat

import "fmt"

// The versions of the heartbeat's payload. A reader of any version can read the first four bytes of every other: the range that
// the sender speaks, the version that it has written in, and whether it serves (docs/design/0007-versions.md).
const (
	// VersionBase has no sections: unicast to addresses that are configured or known, the key made from the secret, and of a host's
	// attributes only those of the first release.
	VersionBase uint8 = 1
	// VersionSections adds sections, and with them multicast, and everything that is said in a section.
	VersionSections uint8 = 2
)

// Range is the versions of the heartbeat that a host speaks, both ends included; zero is no version. Hosts whose ranges have nothing in common
// cannot be in one view (docs/upgrade.md).
type Range struct{ Lowest, Highest uint8 }

// Spoken is the range that this agent speaks.
func Spoken() Range { return Range{Lowest: oldest, Highest: newest} }

// Has reports whether the range includes a version.
func (r Range) Has(version uint8) bool { return r.Lowest <= version && version <= r.Highest }

// Meet is what two ranges have in common; false: nothing.
func (r Range) Meet(o Range) (Range, bool) {
	common := Range{Lowest: max(r.Lowest, o.Lowest), Highest: min(r.Highest, o.Highest)}
	return common, common.Lowest <= common.Highest
}

// String writes a range as people do: "1 to 2", or "1".
func (r Range) String() string {
	if r.Lowest == r.Highest {
		return fmt.Sprint(r.Lowest)
	}
	return fmt.Sprintf("%d to %d", r.Lowest, r.Highest)
}

// Language is what stands in front of every heartbeat, whatever its version.
type Language struct {
	Speaks  Range // of the sender
	Written uint8 // the version of what follows
	Serves  bool  // whether the sender accepts new connections: somebody that cannot read on must not do so beside it
}

// sound reports whether a language makes sense: zero is no version, and nobody writes what he does not speak.
func (l Language) sound() bool { return l.Speaks.Lowest > 0 && l.Speaks.Has(l.Written) }

func (l Language) append(b []byte) []byte {
	b = append(b, l.Speaks.Lowest, l.Speaks.Highest, l.Written, 0)
	if l.Serves {
		b[len(b)-1] = 1
	}
	return b
}

func (r *reader) language() Language {
	l := Language{Speaks: Range{Lowest: r.u8(), Highest: r.u8()}, Written: r.u8()}
	serves := r.u8()
	if !l.sound() || serves > 1 {
		r.fail("range of versions")
	}
	l.Serves = serves == 1
	return l
}

// languageOf reads the front of a payload of any version.
func languageOf(payload []byte) (Language, error) {
	r := reader{rest: payload}
	l := r.language()
	return l, r.err
}
