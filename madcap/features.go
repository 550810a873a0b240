package madcap

import (
	"encoding/binary"
	"fmt"
	"slices"
	"time"
)

// FeatureList is the Feature List option (RFC 2730, section 3.13). A client lists what it supports, requests and requires; a server
// what it supports and, as required, what it did for this message.
type FeatureList struct{ Supported, Requested, Required []Feature }

// Code returns [OptFeatureList].
func (FeatureList) Code() OptionCode { return OptFeatureList }

func (o FeatureList) appendTo(b []byte, _ Family) ([]byte, error) {
	for _, list := range [][]Feature{o.Supported, o.Requested, o.Required} {
		if len(list) > 1<<10 {
			return nil, &OptionError{o.Code(), "too many features"}
		}
		b = binary.BigEndian.AppendUint16(b, uint16(len(list)))
		for _, f := range list {
			b = binary.BigEndian.AppendUint16(b, uint16(f))
		}
	}
	return b, nil
}

// mentions tells whether a feature stands in any of the lists: only then may a server use it.
func (o FeatureList) mentions(f Feature) bool {
	return slices.Contains(o.Supported, f) || slices.Contains(o.Requested, f) || slices.Contains(o.Required, f)
}

// Failure is the Error option of a NAK (RFC 2730, section 3.17).
type Failure struct {
	ErrorCode ErrorCode // section 3.17 lists them
	Extra     []byte    // its meaning depends on the code
}

// Code returns [OptError].
func (Failure) Code() OptionCode { return OptError }

func (o Failure) appendTo(b []byte, _ Family) ([]byte, error) {
	return append(binary.BigEndian.AppendUint16(b, uint16(o.ErrorCode)), o.Extra...), nil
}

// Option returns the option that an error of code [NotCompleted] or [InvalidRequest] is about, [NoOption] if none or not told.
func (o Failure) Option() OptionCode {
	if o.ErrorCode > InvalidRequest || len(o.Extra) < 2 {
		return NoOption
	}
	return OptionCode(binary.BigEndian.Uint16(o.Extra))
}

// ServerTime returns the server's clock from an error of code [ExcessiveClockSkew].
func (o Failure) ServerTime() (time.Time, bool) {
	if o.ErrorCode != ExcessiveClockSkew || len(o.Extra) < 4 {
		return time.Time{}, false
	}
	return time.Unix(int64(binary.BigEndian.Uint32(o.Extra)), 0).UTC(), true
}

// Features returns what the server does not support from an error of code [FeatureNotSupported].
func (o Failure) Features() []Feature {
	var list []Feature
	for b := o.Extra; o.ErrorCode == FeatureNotSupported && len(b) >= 2; b = b[2:] {
		list = append(list, Feature(binary.BigEndian.Uint16(b)))
	}
	return list
}

// Error describes the failure with what its extra data say.
func (o Failure) Error() string {
	if t, ok := o.ServerTime(); ok {
		return fmt.Sprintf("%v: the server's clock says %s", o.ErrorCode, t.Format(time.RFC3339))
	}
	if f := o.Features(); len(f) > 0 {
		return fmt.Sprintf("%v: %v", o.ErrorCode, f)
	}
	if c := o.Option(); c != NoOption {
		return fmt.Sprintf("%v: %v", o.ErrorCode, c)
	}
	return o.ErrorCode.String()
}

func failure(code ErrorCode, option OptionCode) Failure {
	return Failure{code, binary.BigEndian.AppendUint16(nil, uint16(option))}
}
