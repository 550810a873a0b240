package madcap

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/netip"
	"testing"
	"time"
)

// seeds are a message of each place and the RFCs' examples.
func seeds() [][]byte {
	var all [][]byte
	for p := range Place(places) {
		all = append(all, encodeLoose(fullMessage(p, OptEnd)))
	}
	lists := Message{TypeAck, IPv4, 1, []Option{ScopeList{siteAndGlobal()[0].Scope, siteAndGlobal()[1].Scope}, NewNesting(2, [2]int{0, 1})}}
	v6 := Message{TypeAck, IPv6, 1, []Option{ScopeList{LocalScope(IPv6)}, RangeList{{LocalScope(IPv6).First, 9}}}}
	return append(all, encodeLoose(lists), encodeLoose(v6), []byte{}, make([]byte, 12))
}

// What is parsed can be written again, and means the same.
func FuzzParse(f *testing.F) {
	for _, b := range seeds() {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Parse(b)
		if err != nil {
			return
		}
		for _, o := range m.Options {
			if len(encodeLength(o, m.Family)) > maxOption || o.Code() == NoOption {
				return // longer than what this package writes
			}
		}
		again := encodeLoose(m)
		second, err := Parse(again)
		if err != nil || !bytes.Equal(encodeLoose(second), again) {
			t.Errorf("% x\nbecomes % x, %v", b, again, err)
		}
	})
}

func encodeLength(o Option, f Family) []byte {
	b, _ := o.appendTo(nil, f)
	return b
}

// A server answers any bytes with nothing or with a valid message that answers them.
func FuzzServer(f *testing.F) {
	for _, b := range seeds() {
		f.Add(b, false)
		f.Add(b, true)
	}
	f.Fuzz(func(t *testing.T, b []byte, multicast bool) {
		s, err := NewServer(ServerConfig{ID: serverA, Scopes: siteAndGlobal()})
		if err != nil {
			t.Fatal(err)
		}
		s.book.put(Record{
			ID: someID, Server: serverA, Scope: LocalScope(IPv4).First, Ranges: []Range{{netip.MustParseAddr("239.255.0.1"), 1}},
			Start: someTime, End: someTime.Add(time.Hour),
		})
		p := Packet{Data: b, From: netip.MustParseAddrPort("192.0.2.100:40000")}
		if multicast {
			p.Group = localGroup
		}
		reply := s.Handle(someTime, p)
		if reply == nil {
			return
		}
		asked, _ := Parse(b)
		m, err := Parse(reply)
		if err != nil || m.XID != asked.XID {
			t.Fatalf("answer % x: %v", reply, err)
		}
		for p := range Place(places) {
			if p.fromServer() && m.Check(p) == nil {
				return
			}
		}
		t.Errorf("answer %v stands nowhere in Table 5", m)
	})
}

// A client never takes from any bytes what it did not ask for.
func FuzzClient(f *testing.F) {
	for _, b := range seeds() {
		f.Add(b, byte(0))
		f.Add(b, byte(1))
	}
	f.Fuzz(func(t *testing.T, b []byte, what byte) {
		r := Request{Scope: LocalScope(IPv4), Min: 1, Desired: 4, ID: someID}
		e := &exchange{kind: TypeRequest, family: IPv4, xid: 7, id: someID, sent: 1, begun: someTime}
		e.accept = func(now time.Time, m Message) (time.Time, error) {
			j := r.judge(now, time.Minute)
			if what%3 == 2 {
				_, err := serverInfo(now, m)
				return now, err
			}
			judge := j.offer
			if what%3 == 1 {
				judge = func(now time.Time, m Message) (grant, error) { return j.granted(now, m, InAckToRequest) }
			}
			g, err := judge(now, m)
			if n := count(g.ranges); err == nil && (n > 4 || g.time <= 0 || g.start.After(now.Add(2*time.Minute))) {
				t.Errorf("accepted %+v", g)
			}
			for _, a := range g.ranges {
				if err == nil && !r.Scope.Span().Contains(a.span()) {
					t.Errorf("accepted %v", a)
				}
			}
			return now, err
		}
		e.hear(someTime, b, netip.AddrPortFrom(serverA, Port))
	})
}

// A lease file is read whole or not at all, and what is read can be written and read again.
func FuzzLeaseFile(f *testing.F) {
	text, err := json.Marshal(leaseFile{fileVersion, []Record{testRecord(1), testRecord(2)}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte(`{"version":1}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		records, err := parseLeaseFile(b)
		if err != nil {
			if len(records) > 0 {
				t.Errorf("%v beside %v", records, err)
			}
			return
		}
		again, err := json.Marshal(leaseFile{fileVersion, records})
		var unsupported *json.MarshalerError
		if errors.As(err, &unsupported) {
			return // a year that JSON cannot write
		}
		if second, err := parseLeaseFile(again); err != nil || len(second) != len(records) {
			t.Errorf("%s\nbecomes %s, %v", b, again, err)
		}
	})
}
