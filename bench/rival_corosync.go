package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/muster-ha/muster/internal/lab"
)

// corosyncScript gives the host what it shares with no other, which network namespaces do not: the directories of state, sockets
// and shared memory. It ends as corosync itself.
const corosyncScript = `set -e
mkdir -p /var/lib/corosync
for dir in /var/lib/corosync /run /dev/shm; do mount -t tmpfs tmpfs $dir; done
TZ=UTC exec corosync -f -c "$1"`

// corosync is Debian's, over knet. token 0: the defaults of corosync.conf(5): 3 s, and 650 ms for each host above two. Another one is
// for any number of hosts.
func corosync(kind string, token time.Duration) rival {
	cuts := detectTimes
	if token == 0 {
		cuts = slowTimes
	}
	return rival{name: "corosync " + kind, cuts: cuts, process: "corosync", patience: time.Minute, read: readCorosync,
		start: func(l *lab.Lab, h *lab.Host) error {
			path := filepath.Join(h.StateDir(), "corosync.conf")
			if err := os.WriteFile(path, []byte(corosyncConfig(l, token)), 0o600); err != nil {
				return fmt.Errorf("write corosync's configuration: %w", err)
			}
			_, err := h.Spawn("corosync", "unshare", "--mount", "--propagation", "private", "sh", "-c", corosyncScript, "sh", path)
			return err
		}}
}

func corosyncConfig(l *lab.Lab, token time.Duration) string {
	var text strings.Builder
	text.WriteString("totem {\n  version: 2\n  cluster_name: rivals\n  transport: knet\n")
	if token > 0 {
		fmt.Fprintf(&text, "  token: %d\n  token_coefficient: 0\n", token.Milliseconds())
	}
	text.WriteString("}\nnodelist {\n")
	for i, h := range l.Hosts() {
		fmt.Fprintf(&text, "  node {\n    ring0_addr: %v\n    nodeid: %d\n    name: %s\n  }\n", h.Address(), i+1, h.Name())
	}
	text.WriteString("}\nquorum {\n  provider: corosync_votequorum\n}\nlogging {\n  to_stderr: yes\n  to_syslog: no\n  timestamp: hires\n}\n")
	return text.String()
}

// membersLine is what corosync writes once a membership is formed: numbers of hosts. Its clock steps by 4 ms and names no year.
var membersLine = regexp.MustCompile(`^(\w{3} +\d+ [\d:.]+) \w+ +\[QUORUM\] Members\[\d+\]:((?: \d+)*)`)

func readCorosync(line string, hosts []string) (membership, error) {
	found := membersLine.FindStringSubmatch(line)
	if found == nil {
		return membership{}, nil
	}
	at, err := time.Parse("2006 Jan _2 15:04:05.000", fmt.Sprint(time.Now().UTC().Year(), " ", found[1]))
	if err != nil {
		return membership{}, fmt.Errorf("%q has no time: %w", line, err)
	}
	m := membership{at: at}
	for id := range strings.FieldsSeq(found[2]) {
		n, err := strconv.Atoi(id)
		if err != nil || n < 1 || n > len(hosts) {
			return membership{}, fmt.Errorf("%q: there is no host %s", line, id)
		}
		m.members = append(m.members, hosts[n-1])
	}
	return m, nil
}
