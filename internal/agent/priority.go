package agent

import (
	"log/slog"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// niceness of every thread of the agent: its work is a few hundred short wake-ups a second, and each that comes late looks like a
// dying host to the others.
const niceness = -19

// hurry asks the kernel to prefer the agent's threads to whatever else runs on the host. The runtime's later threads inherit it from
// those that are there now.
func hurry(log *slog.Logger) {
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		log.Warn("cannot raise the agent's priority: a busy machine may look like a dying one to the other hosts", "err", err)
		return
	}
	for _, task := range tasks {
		tid, err := strconv.Atoi(task.Name())
		if err != nil {
			continue
		}
		if err := unix.Setpriority(unix.PRIO_PROCESS, tid, niceness); err != nil {
			log.Warn("cannot raise the agent's priority: give it CAP_SYS_NICE", "err", err)
			return
		}
	}
}
