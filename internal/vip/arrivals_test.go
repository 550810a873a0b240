package vip

import (
	"testing"
	"time"
)

func TestWhoseFramesDoNotArrive(t *testing.T) {
	const (
		b, c    = uint32(1 << 1), uint32(1 << 2) // hosts, as bits
		still   = ProbePatience + time.Second    // the first look, and those until patience is at its end
		patient = still + time.Second            // and one more
	)
	type span struct {
		lasts   time.Duration
		sending uint32
		arrives uint32
		lost    bool // some of what came is lost at this host
	}
	for _, tt := range []struct {
		name  string
		spans []span
		gap   time.Duration // without a look, before the last span
		want  uint32
	}{
		{name: "nobody sends", spans: []span{{lasts: time.Minute}}},
		{name: "all arrive", spans: []span{{lasts: time.Minute, sending: b | c, arrives: b | c}}},
		{name: "never anything", spans: []span{{lasts: patient, sending: b | c}}, want: b | c},
		{name: "one host's alone", spans: []span{{lasts: patient, sending: b | c, arrives: c}}, want: b},
		{name: "patience with who begins", spans: []span{{lasts: time.Minute, sending: c, arrives: c}, {lasts: still, sending: b | c, arrives: c}}},
		{name: "it ceases", spans: []span{{lasts: time.Minute, sending: b, arrives: b}, {lasts: patient, sending: b}}, want: b},
		{name: "patience when it ceases", spans: []span{{lasts: time.Minute, sending: b, arrives: b}, {lasts: ProbePatience, sending: b}}},
		{name: "it arrives again", spans: []span{{lasts: patient, sending: b}, {lasts: ProbeEvery, sending: b, arrives: b}}},
		{name: "missing until it arrives", spans: []span{{lasts: time.Hour, sending: b | c, arrives: c}}, want: b},
		{name: "who is not heard any more sends none", spans: []span{{lasts: patient, sending: b}, {lasts: time.Second}}},
		{name: "it comes back, and is waited for anew", spans: []span{{lasts: patient, sending: b}, {lasts: time.Second}, {lasts: still, sending: b}}},
		{name: "who says that it sends none is not believed to", spans: []span{{lasts: time.Minute, arrives: b}, {lasts: still, sending: b}}},
		{name: "frozen: nobody is accused", spans: []span{{lasts: time.Minute, sending: b, arrives: b}, {lasts: still, sending: b}}, gap: time.Minute},
		{name: "frozen, and then it still does not arrive", spans: []span{{lasts: time.Minute, sending: b, arrives: b}, {lasts: patient, sending: b}}, gap: time.Minute, want: b},
		{name: "frozen while missing", spans: []span{{lasts: patient, sending: b}, {lasts: time.Second, sending: b}}, gap: time.Minute, want: b},
		{name: "what is lost here accuses nobody", spans: []span{{lasts: time.Minute, sending: b, lost: true}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var a Arrivals
			now, got := time.Unix(1000, 0), uint32(0)
			for i, s := range tt.spans {
				if i == len(tt.spans)-1 {
					now = now.Add(tt.gap)
				}
				for end := now.Add(s.lasts); now.Before(end); now = now.Add(time.Second) {
					for host := range uint8(arrivalHosts) {
						if s.arrives>>host&1 == 1 && now.Unix()%3 == 0 {
							a.Hear(host, now)
						}
					}
					if s.lost {
						a.Restart(now)
					}
					got = a.Judge(now, s.sending)
				}
			}
			if got != tt.want {
				t.Errorf("missing %b, want %b", got, tt.want)
			}
		})
	}
}

func TestProbesOfHostsThatThereAreNotDoNothing(t *testing.T) {
	var a Arrivals
	now := time.Unix(1000, 0)
	a.Judge(now, 1<<1)
	before := a
	a.Hear(arrivalHosts, now)
	a.Hear(255, now)
	a.Hear(3, now.Add(time.Second)) // not said to send
	if a != before {
		t.Errorf("%+v has become %+v", before, a)
	}
}
