package madcap

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"time"
)

// Option is the value of an option; its Go type says which. The types are those of this package.
type Option interface {
	// Code returns the option's number.
	Code() OptionCode
	// appendTo appends the value without code and length. f is the family of the message.
	appendTo(b []byte, f Family) ([]byte, error)
}

type (
	// LeaseTime is for how long addresses are leased, or asked for (RFC 2730, section 3.2). Fractions of a second are cut off; at most 2^32-1 s.
	LeaseTime time.Duration
	// MinLeaseTime is the shortest lease that the client accepts (section 3.15), in the same units.
	MinLeaseTime time.Duration
	// StartTime is when the lease begins (section 3.7): whole seconds from 1970 to 2106, as all times here.
	StartTime struct{ time.Time }
	// CurrentTime is what the sender's clock says (section 3.12).
	CurrentTime struct{ time.Time }
	// RetryTime is when the client may ask again (section 3.14).
	RetryTime struct{ time.Time }
	// MaxStartTime is the latest start that the client accepts (section 3.16).
	MaxStartTime struct{ time.Time }
	// ServerID is the address of a server, of any family (section 3.3).
	ServerID struct{ netip.Addr }
	// ScopeID is the first address of a scope, of the message's family (section 3.5).
	ScopeID struct{ netip.Addr }
	// OptionRequest lists the options that a GETINFO asks for (section 3.6). It is not empty.
	OptionRequest []OptionCode
	// AddressCount says how many addresses the client wants (section 3.8): one, if it is absent.
	AddressCount struct{ Min, Desired uint16 }
	// Language is the tag (RFC 1766) of the language in which the client wants zone names (section 3.9).
	Language string
	// RangeList holds the addresses of a lease, or those that a client asks for (section 3.11).
	RangeList []Range
	// Raw is an option that this package does not know; such are ignored and may be sent (section 2.1.5).
	Raw struct {
		Number OptionCode
		Data   []byte
	}
)

// The number of each option.
func (LeaseTime) Code() OptionCode     { return OptLeaseTime }
func (MinLeaseTime) Code() OptionCode  { return OptMinLeaseTime }
func (StartTime) Code() OptionCode     { return OptStartTime }
func (CurrentTime) Code() OptionCode   { return OptCurrentTime }
func (RetryTime) Code() OptionCode     { return OptRetryTime }
func (MaxStartTime) Code() OptionCode  { return OptMaxStartTime }
func (ServerID) Code() OptionCode      { return OptServerID }
func (ScopeID) Code() OptionCode       { return OptScope }
func (OptionRequest) Code() OptionCode { return OptOptionRequest }
func (AddressCount) Code() OptionCode  { return OptAddressCount }
func (Language) Code() OptionCode      { return OptLanguage }
func (RangeList) Code() OptionCode     { return OptRanges }
func (r Raw) Code() OptionCode         { return r.Number }

func appendSeconds(b []byte, code OptionCode, s int64) ([]byte, error) {
	if s < 0 || s > 1<<32-1 {
		return nil, &OptionError{code, fmt.Sprintf("%d seconds do not fit 32 bits", s)}
	}
	return binary.BigEndian.AppendUint32(b, uint32(s)), nil
}

func (o LeaseTime) appendTo(b []byte, _ Family) ([]byte, error) {
	return appendSeconds(b, o.Code(), int64(time.Duration(o)/time.Second))
}

func (o MinLeaseTime) appendTo(b []byte, _ Family) ([]byte, error) {
	return appendSeconds(b, o.Code(), int64(time.Duration(o)/time.Second))
}

func (o StartTime) appendTo(b []byte, _ Family) ([]byte, error) {
	return appendSeconds(b, o.Code(), o.Unix())
}

func (o CurrentTime) appendTo(b []byte, _ Family) ([]byte, error) {
	return appendSeconds(b, o.Code(), o.Unix())
}

func (o RetryTime) appendTo(b []byte, _ Family) ([]byte, error) {
	return appendSeconds(b, o.Code(), o.Unix())
}

func (o MaxStartTime) appendTo(b []byte, _ Family) ([]byte, error) {
	return appendSeconds(b, o.Code(), o.Unix())
}

func (o ServerID) appendTo(b []byte, _ Family) ([]byte, error) {
	if !o.IsValid() {
		return nil, &OptionError{o.Code(), "no address"}
	}
	b = binary.BigEndian.AppendUint16(b, uint16(FamilyOf(o.Addr)))
	return append(b, o.AsSlice()...), nil
}

// appendAddr writes an address of the message's family.
func appendAddr(b []byte, code OptionCode, a netip.Addr, f Family) ([]byte, error) {
	if !a.IsValid() || FamilyOf(a) != f {
		return nil, &OptionError{code, fmt.Sprintf("%v is no %v address", a, f)}
	}
	return append(b, a.AsSlice()...), nil
}

func (o ScopeID) appendTo(b []byte, f Family) ([]byte, error) {
	return appendAddr(b, o.Code(), o.Addr, f)
}

func (o OptionRequest) appendTo(b []byte, _ Family) ([]byte, error) {
	if len(o) == 0 {
		return nil, &OptionError{o.Code(), "empty"}
	}
	for _, code := range o {
		b = binary.BigEndian.AppendUint16(b, uint16(code))
	}
	return b, nil
}

func (o AddressCount) appendTo(b []byte, _ Family) ([]byte, error) {
	b = binary.BigEndian.AppendUint16(b, o.Min)
	return binary.BigEndian.AppendUint16(b, o.Desired), nil
}

func (o Language) appendTo(b []byte, _ Family) ([]byte, error) { return append(b, o...), nil }

func (o RangeList) appendTo(b []byte, f Family) ([]byte, error) {
	for _, r := range o {
		if err := r.check(f); err != nil {
			return nil, &OptionError{o.Code(), err.Error()}
		}
		b = append(b, r.First.AsSlice()...)
		b = binary.BigEndian.AppendUint16(b, r.Count)
	}
	return b, nil
}

func (r Raw) appendTo(b []byte, _ Family) ([]byte, error) {
	if r.Number <= OptNesting || r.Number == NoOption {
		return nil, &OptionError{r.Number, "is not one to be sent raw"}
	}
	return append(b, r.Data...), nil
}
