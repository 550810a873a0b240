package madcap

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"time"
)

// parseOption reads an option's value. f is the family of the message.
func parseOption(r Raw, f Family) (Option, error) {
	v := reader{code: r.Number, b: r.Data}
	o := v.timeOption()
	switch r.Number {
	case OptLeaseTime, OptMinLeaseTime, OptStartTime, OptCurrentTime, OptRetryTime, OptMaxStartTime:
	case OptServerID:
		o = ServerID{v.addr(Family(v.u16()))}
	case OptLeaseID:
		o = v.leaseID()
	case OptScope:
		o = ScopeID{v.addr(f)}
	case OptOptionRequest:
		o = v.optionRequest()
	case OptAddressCount:
		o = AddressCount{Min: v.u16(), Desired: v.u16()}
	case OptLanguage:
		o = Language(v.take(len(v.b)))
	case OptScopeList:
		o = v.scopeList(f)
	case OptRanges:
		o = v.rangeList(f)
	case OptFeatureList:
		o = FeatureList{v.features(), v.features(), v.features()}
	case OptError:
		o = Failure{ErrorCode(v.u16()), v.take(len(v.b))}
	case OptNesting:
		o = v.nesting()
	default:
		o = Raw{r.Number, v.take(len(v.b))}
	}
	return o, v.finish()
}

// timeOption reads one of the options that are a number of seconds, nil if it is none of them.
func (r *reader) timeOption() Option {
	switch r.code {
	case OptLeaseTime:
		return LeaseTime(r.duration())
	case OptMinLeaseTime:
		return MinLeaseTime(r.duration())
	case OptStartTime:
		return StartTime{r.time()}
	case OptCurrentTime:
		return CurrentTime{r.time()}
	case OptRetryTime:
		return RetryTime{r.time()}
	case OptMaxStartTime:
		return MaxStartTime{r.time()}
	}
	return nil
}

// reader takes an option's value apart. After the first error it returns zeros.
type reader struct {
	code OptionCode
	b    []byte
	err  error
}

func (r *reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = &OptionError{r.code, fmt.Sprintf(format, args...)}
	}
}

// finish returns the first error; octets left over are one.
func (r *reader) finish() error {
	if len(r.b) > 0 {
		r.fail("%d octets too many", len(r.b))
	}
	return r.err
}

func (r *reader) take(n int) []byte {
	if r.err != nil || n > len(r.b) {
		r.fail("%d octets missing", n-len(r.b))
		r.b = nil
		return make([]byte, n)
	}
	v := r.b[:n:n]
	r.b = r.b[n:]
	return v
}

func (r *reader) u8() int     { return int(r.take(1)[0]) }
func (r *reader) u16() uint16 { return binary.BigEndian.Uint16(r.take(2)) }
func (r *reader) u32() uint32 { return binary.BigEndian.Uint32(r.take(4)) }

func (r *reader) duration() time.Duration { return time.Duration(r.u32()) * time.Second }
func (r *reader) time() time.Time         { return time.Unix(int64(r.u32()), 0).UTC() }

func (r *reader) addr(f Family) netip.Addr {
	n := f.size()
	if n == 0 {
		r.fail("%v is not known", f)
		r.b = nil
		return netip.Addr{}
	}
	a, _ := netip.AddrFromSlice(r.take(n))
	return a
}

func (r *reader) leaseID() LeaseID {
	if len(r.b) == 0 {
		r.fail("empty")
	}
	return LeaseID(r.take(len(r.b)))
}

func (r *reader) optionRequest() OptionRequest {
	if len(r.b) == 0 {
		r.fail("empty")
	}
	list := make(OptionRequest, 0, len(r.b)/2)
	for len(r.b) > 0 {
		list = append(list, OptionCode(r.u16()))
	}
	return list
}

func (r *reader) rangeList(f Family) RangeList {
	list := RangeList{}
	for len(r.b) > 0 && r.err == nil {
		one := Range{First: r.addr(f), Count: r.u16()}
		if r.err != nil {
			break
		}
		if err := one.check(f); err != nil {
			r.fail("%v", err)
		}
		list = append(list, one)
	}
	return list
}

func (r *reader) features() []Feature {
	n := int(r.u16())
	if 2*n > len(r.b) {
		r.fail("%d features in %d octets", n, len(r.b))
		r.b = nil
		return nil
	}
	list := make([]Feature, 0, n)
	for range n {
		list = append(list, Feature(r.u16()))
	}
	return list
}
