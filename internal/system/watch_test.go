package system

import (
	"encoding/binary"
	"errors"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// message is an rtnetlink message as the kernel lays it out.
func message(kind uint16, body ...byte) []byte {
	b := binary.NativeEndian.AppendUint32(nil, uint32(headerLen+len(body)))
	b = binary.NativeEndian.AppendUint16(b, kind)
	b = append(append(b, make([]byte, headerLen-6)...), body...)
	return append(b, make([]byte, -len(b)&3)...)
}

func routeIn(table byte) []byte {
	body := make([]byte, routeLen)
	body[routeTable] = table
	return body
}

func TestWhatTheKernelTellsOf(t *testing.T) {
	for _, tt := range []struct {
		name     string
		messages []byte
		want     bool
	}{
		{"nothing", nil, false},
		{"an address goes", message(unix.RTM_DELADDR), true},
		{"an interface", message(unix.RTM_NEWLINK), true},
		{"a qdisc goes", message(unix.RTM_DELQDISC), true},
		{"a route of the kernel goes", message(unix.RTM_DELROUTE, routeIn(unix.RT_TABLE_LOCAL)...), true},
		{"a route goes", message(unix.RTM_DELROUTE, routeIn(unix.RT_TABLE_MAIN)...), true},
		{"a route of some program's table goes", message(unix.RTM_DELROUTE, routeIn(100)...), false},
		{"a route comes", message(unix.RTM_NEWROUTE, routeIn(unix.RT_TABLE_MAIN)...), false},
		{"short body", message(unix.RTM_DELROUTE, 1, 2, 3), false},
		{"second of two", append(message(unix.RTM_NEWROUTE, 1, 2, 3), message(unix.RTM_DELADDR)...), true},
		{"length too small", []byte{1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, true},
		{"length too great", message(unix.RTM_NEWROUTE, 1, 2, 3, 4)[:18], true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := matters(tt.messages); got != tt.want {
				t.Errorf("matters: %v, want %v", got, tt.want)
			}
		})
	}
}

func FuzzWatchMessages(f *testing.F) {
	f.Add(message(unix.RTM_DELADDR))
	f.Add(message(unix.RTM_NEWROUTE, routeIn(unix.RT_TABLE_MAIN)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		if !matters(b) && matters(append(b, make([]byte, -len(b)&3)...)) && len(b)%4 == 0 {
			t.Error("the same messages matter and do not")
		}
	})
}

func TestWatchTellsOfAnAddress(t *testing.T) {
	inNamespace(t)
	w, err := OpenWatch()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		t.Fatal(err)
	}
	addr, err := netlink.ParseAddr("10.77.0.100/32")
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		name   string
		change func(netlink.Link, *netlink.Addr) error
	}{{"added", netlink.AddrAdd}, {"removed", netlink.AddrDel}} {
		select {
		case <-w.Changed(): // the rest of what went before
		default:
		}
		if err := step.change(lo, addr); err != nil {
			t.Fatal(err)
		}
		select {
		case <-w.Changed():
		case <-time.After(10 * time.Second):
			t.Fatalf("address %s: nothing told", step.name)
		}
	}
}

func TestRenamedInterfaceKeepsItsHistory(t *testing.T) {
	inNamespace(t)
	j, err := Open(t.TempDir(), discard())
	mustDo(t, err)
	defer j.Close()
	const was, is = "net/ipv4/conf/eth0.5/arp_ignore", "net/ipv4/conf/wan0/arp_ignore"
	if err := j.SetSysctl(was, "1"); err != nil {
		t.Fatal(err)
	}
	link, err := netlink.LinkByName("eth0.5")
	if err != nil {
		t.Fatal(err)
	}
	mustDo(t, errors.Join(netlink.LinkSetDown(link), netlink.LinkSetName(link, "wan0"))) // older kernels rename no interface that is on
	if err := j.Rename("eth0.5", "wan0"); err != nil {
		t.Fatal(err)
	}
	if d := j.Restore(); len(d) != 0 {
		t.Errorf("after the rename: %+v", d)
	}
	if err := j.SetSysctl(is, "1"); err != nil {
		t.Fatal(err)
	}
	if err := j.Undo(); err != nil {
		t.Fatal(err)
	}
	if now, err := readSysctl(is); err != nil || now != "0" {
		t.Errorf("after undo %s is %q, %v; want 0 as it was before the first change", is, now, err)
	}
}
