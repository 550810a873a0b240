// Package rotation decides when a network's hosts draw a new group key, when each of them signs with it and when the old ones are
// dropped, and how they go over to another secret. It knows keys by their ids alone: package wire holds them and carries them
// from host to host. docs/design/0006-keys.md has the reasons.
//
// Usage: one Machine for each network, and one Change for the host. Step is told what is so, as often as the caller likes, at least
// about every heartbeat, and says what to do; Said is what this host tells the others in its next heartbeats.
//
//	do := machine.Step(rotation.State{Now: now, Members: members, Allowed: true, Held: ring.Held(), Voices: voices})
//	if do.Draw {
//		machine.Drawn(ring.Draw(), now)
//	}
//	ring.Want(do.Want)
//	ring.Use(machine.Said())
//
// How a key goes round: the responsible host, the lowest member of the view, draws a key and says that it has it. The others fetch it and
// say that they hold it. When all members do, the responsible host signs with it, and the others follow whatever it signs with. A
// key that nobody who is heard signs with or names is dropped after an overlap. There are no rounds and no acknowledgements: each
// step follows from what is said in every heartbeat, so loss, order, restarts and changes of the responsible host do not matter.
//
// Concurrency: none; the caller owns a Machine and a Change. There is no I/O and no clock but the caller's.
//
// Failure behaviour: a member that says nothing of a new key holds the change up for Patience at most; it fetches the key later, when it
// hears it. A responsible host that fails in the middle leaves a key that nobody signs with, which is dropped; the next one
// draws its own when one is due.
//
// Testing: machine_test.go has each rule by name; simulation_test.go runs hosts with loss, partitions and restarts and checks that
// whoever hears can read, and that a rotation loses nothing.
package rotation
