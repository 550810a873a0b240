package bgp

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"github.com/vishvananda/netlink"
)

// inside says that this process is the one in a network namespace of its own: sockets are opened by goroutines, so a thread in one would not do.
const inside = "BGP_TEST_INSIDE"

func TestMain(m *testing.M) {
	if os.Getenv(inside) == "" {
		os.Exit(alone())
	}
	if err := network(); err != nil {
		fmt.Fprintln(os.Stderr, "make the network of the tests:", err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// alone runs the tests once more, in a new network namespace.
func alone() int {
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Env = append(os.Environ(), inside+"=1")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return exit.ExitCode()
	}
	fmt.Fprintln(os.Stderr, "start the tests in a network namespace (run them as root):", err)
	return 1
}

// network gives this host and two routers their addresses.
func network() error {
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return err
	}
	for _, a := range []string{"192.0.2.1/32", "192.0.2.253/32", "192.0.2.254/32", "2001:db8::1/128", "2001:db8::fe/128"} {
		addr, err := netlink.ParseAddr(a)
		if err != nil {
			return err
		}
		addr.Flags = syscall.IFA_F_NODAD
		if err := netlink.AddrAdd(lo, addr); err != nil {
			return err
		}
	}
	return netlink.LinkSetUp(lo)
}
