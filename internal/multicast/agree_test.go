package multicast

import (
	"net/netip"
	"testing"
	"time"
)

func said(last byte, version uint32, how How, stranger bool) Said {
	return Said{Group{Address: netip.AddrFrom4([4]byte{239, 255, 0, last}), Version: version, How: how}, stranger}
}

func TestAgree(t *testing.T) {
	for _, tc := range []struct {
		name   string
		own    Said
		others []Said
		want   Said
	}{
		{"alone", said(1, 1, Random, false), nil, said(1, 1, Random, false)},
		{"no group yet", Said{}, []Said{said(1, 1, Random, false)}, said(1, 1, Random, false)},
		{"nobody has one", Said{}, []Said{{}, {}}, Said{}},
		{"a newer one", said(1, 1, Random, false), []Said{said(2, 2, Random, false)}, said(2, 2, Random, false)},
		{"an older one", said(1, 2, Random, false), []Said{said(2, 1, Random, false)}, said(1, 2, Random, false)},
		{"chosen apart", said(1, 1, Random, false), []Said{said(2, 1, Random, false)}, said(2, 1, Random, false)},
		{"chosen apart, seen from the other", said(2, 1, Random, false), []Said{said(1, 1, Random, false)}, said(2, 1, Random, false)},
		{"strangers seen by another", said(1, 1, Random, false), []Said{said(1, 1, Random, true)}, said(1, 1, Random, true)},
		{"strangers on the group before", said(2, 2, Random, false), []Said{said(1, 1, Random, true)}, said(2, 2, Random, false)},
		{"own strangers are left behind", said(1, 1, Random, true), []Said{said(2, 2, Random, false)}, said(2, 2, Random, false)},
		{"another host's file", said(1, 1, Random, false), []Said{said(9, 9, Manual, false)}, said(1, 1, Random, false)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := Agree(tc.own, tc.others); got != tc.want {
				t.Errorf("got %+v, want %+v", got, tc.want)
			}
		})
	}
}

func TestUnfit(t *testing.T) {
	wide := DefaultRange()
	narrow := Range{netip.MustParseAddr("239.1.0.0"), netip.MustParseAddr("239.1.0.9")}
	for _, tc := range []struct {
		name   string
		s      Said
		r      Range
		others []netip.Addr
		want   bool
	}{
		{"good", said(1, 1, Random, false), wide, nil, false},
		{"none", Said{}, wide, nil, true},
		{"strangers", said(1, 1, Random, true), wide, nil, true},
		{"not in the file any more", said(1, 1, Manual, false), wide, nil, true},
		{"outside the range", said(1, 1, Random, false), narrow, nil, true},
		{"a lease outside the range", said(1, 1, Leased, false), narrow, nil, false},
		{"another network's MAC", said(1, 1, Random, false), wide, []netip.Addr{netip.MustParseAddr("239.127.0.1")}, true},
		{"another network's group", said(1, 1, Random, false), wide, []netip.Addr{netip.MustParseAddr("239.255.0.2")}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := Unfit(tc.s, tc.r, tc.others); got != tc.want {
				t.Errorf("unfit %v, want %v", got, tc.want)
			}
		})
	}
}

func TestWhenToMove(t *testing.T) {
	const long, just = time.Hour, time.Second
	for _, tc := range []struct {
		name string
		m    Move
		want bool
	}{
		{"all well", Move{Chosen: long, Fled: long}, false},
		{"unfit", Move{Unfit: true, Chosen: long, Fled: long}, true},
		{"unfit, chosen just now", Move{Unfit: true, Chosen: just, Fled: long}, false},
		{"unfit, a lease may come", Move{Unfit: true, Waits: true, Chosen: long, Fled: long}, false},
		{"a lease", Move{Lease: true, Chosen: just, Fled: long}, true},
		{"a lease after a flight", Move{Lease: true, Chosen: just, Fled: just}, false},
		{"a lease a while after a flight", Move{Lease: true, Chosen: just, Fled: GroupLife}, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := tc.m.Due(); got != tc.want {
				t.Errorf("due: %v", got)
			}
		})
	}
}
