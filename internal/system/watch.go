package system

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// watchedGroups are the kernel's multicast groups of what Muster depends on. Neighbours are not among them: they change with every client.
const watchedGroups = 1<<(unix.RTNLGRP_LINK-1) | 1<<(unix.RTNLGRP_TC-1) |
	1<<(unix.RTNLGRP_IPV4_IFADDR-1) | 1<<(unix.RTNLGRP_IPV4_ROUTE-1) |
	1<<(unix.RTNLGRP_IPV6_IFADDR-1) | 1<<(unix.RTNLGRP_IPV6_ROUTE-1)

// Sizes and offsets of rtnetlink messages (linux/netlink.h, linux/rtnetlink.h).
const (
	headerLen     = 16 // of nlmsghdr: length, type, flags, sequence, port
	routeLen      = 12 // of rtmsg
	routeTable    = 4  // where in it the table is
	messageBuffer = 32 << 10
)

// Watch says when the host's interfaces, addresses, queueing or routes have changed, so that whoever keeps them up need not wait until
// they look again. It says that something changed and not what: whoever is told looks anyway.
type Watch struct {
	socket  *os.File
	changed chan struct{}
	ended   chan struct{}
}

// OpenWatch begins to watch the calling thread's network namespace. Close ends it.
func OpenWatch() (*Watch, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("open netlink socket: %w", err)
	}
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: watchedGroups}); err != nil {
		return nil, errors.Join(fmt.Errorf("watch interfaces, addresses and routes: %w", err), unix.Close(fd))
	}
	w := &Watch{socket: os.NewFile(uintptr(fd), "rtnetlink"), changed: make(chan struct{}, 1), ended: make(chan struct{})}
	go w.run()
	return w, nil
}

// Changed gets a value when something has changed since the last one was taken; any number of changes make one.
func (w *Watch) Changed() <-chan struct{} { return w.changed }

// Close ends the watch and its goroutine.
func (w *Watch) Close() error {
	err := w.socket.Close()
	<-w.ended
	return err
}

func (w *Watch) run() {
	defer close(w.ended)
	buffer := make([]byte, messageBuffer)
	for {
		n, err := w.socket.Read(buffer)
		if errors.Is(err, os.ErrClosed) {
			return
		}
		lost := errors.Is(err, unix.ENOBUFS) // more changed than fits: that is a change
		if lost || err == nil && matters(buffer[:n]) {
			w.tell()
		}
		if err != nil && !lost {
			return // whoever looks from time to time does without
		}
	}
}

func (w *Watch) tell() {
	select {
	case w.changed <- struct{}{}:
	default:
	}
}

// matters says whether one of the messages is of something that may have to be put back. A host with many routes sees them come and
// go all the time: of routes only the end of those in the tables that every host has counts.
func matters(messages []byte) bool {
	for len(messages) >= headerLen {
		length := int(binary.NativeEndian.Uint32(messages))
		if length < headerLen || length > len(messages) {
			return true // not understood: look
		}
		if counts(binary.NativeEndian.Uint16(messages[4:]), messages[headerLen:length]) {
			return true
		}
		messages = messages[min(len(messages), (length+3)&^3):] // each begins at a multiple of four bytes
	}
	return false
}

func counts(kind uint16, body []byte) bool {
	switch kind {
	case unix.RTM_NEWLINK, unix.RTM_DELLINK, unix.RTM_NEWADDR, unix.RTM_DELADDR, unix.RTM_DELQDISC, unix.RTM_DELTFILTER, unix.RTM_NEWTFILTER:
		return true
	case unix.RTM_DELROUTE:
		return len(body) >= routeLen && (body[routeTable] == unix.RT_TABLE_MAIN || body[routeTable] == unix.RT_TABLE_LOCAL)
	default:
		return false
	}
}
