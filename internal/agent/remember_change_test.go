package agent_test

import (
	"testing"
	"time"
)

// TestRememberedClientsStayWhileViewsChange has clients connect all the time while a host gets and loses its share, again and again. While hosts are in
// two views an owner may accept a client without the host that remembers it having been asked (docs/design/0015-rules.md): that is rare.
func TestRememberedClientsStayWhileViewsChange(t *testing.T) {
	const changes, rareOneIn = 6, 500
	l := ruleFarm(t, "{ports: [7], affinity: client, affinity_timeout: 1h}", "{ports: [80], check: web}")
	a, clients := l.Host("a"), crowd(t, l, 60)
	muster(t, a, "host", "drain", "c")
	drained(t, l.Host("b"), "c")
	at := meets(t, l, clients, 7)
	stop, ended := make(chan struct{}), make(chan error, 1)
	connects, moves := 0, 0
	go func() {
		ended <- l.Client(1).Do(func() error {
			for {
				for _, c := range clients {
					select {
					case <-stop:
						return nil
					default:
					}
					name, err := greeted(c, target(7))
					if err != nil {
						return err
					}
					connects++
					if name != at[c] {
						moves++
						at[c] = name
					}
				}
			}
		})
	}()
	for i := range changes {
		verb := [...]string{"resume", "drain"}[i%2]
		muster(t, a, "host", verb, "c")
		time.Sleep(500 * time.Millisecond) // for connects in the view that follows
	}
	close(stop)
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if connects < 10*changes || moves > connects/rareOneIn {
		t.Errorf("%d of %d connections went to another host, in %d changes of the view", moves, connects, changes)
	}
	t.Logf("%d connections, %d of them to another host", connects, moves)
}
