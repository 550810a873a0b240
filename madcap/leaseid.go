package madcap

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/netip"
)

// LeaseID identifies a lease (RFC 2730, section 2.4). The octets are kept as a string so that it can be a map key; it
// is printed, and written to JSON, in hexadecimal.
type LeaseID string

// NewLeaseID returns a random identifier (type 0) of 16 octets after the type (section 2.4.1). Whoever knows it can renew and
// release the lease, so that a group of hosts can share one.
func NewLeaseID() LeaseID {
	id := make([]byte, 17)
	rand.Read(id[1:]) // never fails
	return LeaseID(id)
}

// AddressLeaseID returns an identifier of type 1: a globally unique address and what makes the lease unique among those of its
// owner, such as a counter (section 2.4.2).
func AddressLeaseID(owner netip.Addr, specific []byte) LeaseID {
	id := binary.BigEndian.AppendUint16([]byte{1}, uint16(FamilyOf(owner)))
	id = append(id, owner.AsSlice()...)
	return LeaseID(append(id, specific...))
}

func (id LeaseID) String() string { return hex.EncodeToString([]byte(id)) }

// MarshalText writes the identifier in hexadecimal.
func (id LeaseID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText reads what MarshalText wrote. An empty identifier is an error.
func (id *LeaseID) UnmarshalText(text []byte) error {
	b, err := hex.DecodeString(string(text))
	if err != nil || len(b) == 0 || len(b) > maxOption {
		return fmt.Errorf("read lease identifier %.40q: want hexadecimal digits", text)
	}
	*id = LeaseID(b)
	return nil
}

// Code returns [OptLeaseID].
func (id LeaseID) Code() OptionCode { return OptLeaseID }

func (id LeaseID) appendTo(b []byte, _ Family) ([]byte, error) {
	if id == "" {
		return nil, &OptionError{OptLeaseID, "empty"}
	}
	return append(b, id...), nil
}
