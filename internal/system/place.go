package system

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Place says where changes were made. Addresses, sysctls and mounts end with the boot, and with their network namespace.
type Place struct {
	Boot   string `json:"boot"`             // the kernel's random number of this boot
	Cookie uint64 `json:"cookie,omitempty"` // the network namespace, never used twice in a boot; zero: kernel before 5.14
	Inode  uint64 `json:"inode"`            // the network namespace as /proc/PID/ns/net shows it; used again after its end
}

// same says whether what was changed at one place is still there at the other.
func (p Place) same(q Place) bool {
	if p.Cookie != 0 && q.Cookie != 0 {
		return p.Boot == q.Boot && p.Cookie == q.Cookie
	}
	return p.Boot == q.Boot && p.Inode == q.Inode
}

func (linux) place() (Place, error) {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return Place{}, fmt.Errorf("read boot id: %w", err)
	}
	var st unix.Stat_t
	if err := unix.Stat("/proc/thread-self/ns/net", &st); err != nil {
		return Place{}, fmt.Errorf("find network namespace: %w", err)
	}
	return Place{Boot: strings.TrimSpace(string(boot)), Cookie: cookie(), Inode: st.Ino}, nil
}

// cookie gives the number of the calling thread's network namespace.
func cookie() uint64 {
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0
	}
	defer unix.Close(s)
	n, err := unix.GetsockoptUint64(s, unix.SOL_SOCKET, unix.SO_NETNS_COOKIE)
	if err != nil {
		return 0
	}
	return n
}

// alive looks for a process in the namespace or a mount that holds it (`ip netns`). One that only a file descriptor
// keeps is not found; nobody can enter it to stop an agent either.
func (linux) alive(p Place) bool {
	name := fmt.Sprintf("net:[%d]", p.Inode)
	links, _ := filepath.Glob("/proc/[0-9]*/ns/net")
	for _, l := range links {
		if target, err := os.Readlink(l); err == nil && target == name {
			return true
		}
	}
	mounts, err := os.ReadFile("/proc/thread-self/mountinfo")
	return err != nil || strings.Contains(string(mounts), " "+name+" ")
}
