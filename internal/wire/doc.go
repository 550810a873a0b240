// Package wire seals what hosts say to each other and opens what arrives, so that nothing unauthenticated, foreign or
// replayed changes state. docs/design/0004-datagram.md has the layout and its reasons. There are no sockets here.
//
// Usage: NewBoot draws a number for this start of the agent, NewRing holds the keys of a network, New makes a Codec for the network's
// unicast and another for its multicast. Seal makes a heartbeat's datagram; Farewell the last words,
// which another process may send. Open judges each datagram that arrives and says why it is refused; when it returns
// a reply, send it to the *configured* address of the host it is from, never to the address the datagram came from.
//
//	m, reply, why := codec.Open(datagram, time.Now())
//	if reply != nil {
//		send(m.From, reply)
//	}
//	if why == wire.Accepted && m.Type == wire.Heartbeat {
//		hear(m)
//	}
//
// How a boot is proved: a host that receives a heartbeat of a boot that it has not proved sends a challenge, a nonce for
// exactly that boot; whoever runs as that boot sends it back with the heartbeat sequence it has reached. From then
// on heartbeats after that sequence are accepted, each once, and those of the boot before never again. Both
// sides do this on their own, so neither has to wait for the other: a host answers a challenge of a host that it has not proved
// itself. A lost challenge or proof is repeated after the next heartbeats. What a replayed challenge gets is a proof that no
// longer fits any nonce.
//
// Keys: what goes to one host is sealed with a base key, made of the cluster's secret, and heartbeats with a group key once the
// Ring was told to use one. A Codec asks by itself for group keys that it hears and does not hold, and gives its own to
// whoever proves that it lives, wrapped for that boot alone (exchange.go). When to draw, use and drop keys is decided in package
// rotation; docs/design/0006-keys.md has the reasons.
//
// Concurrency: Seal, Farewell, Boot and Counters may be called from any goroutine, and so may a Ring's methods; Open belongs to one.
//
// Failure behaviour: Open never fails, it counts. What it costs is bounded: memory by the number of configured hosts, key
// derivations for unknown boots by a budget for each host and interval, challenges to one a host and interval, proofs
// to one a boot and interval, likewise questions for keys and answers; keys by what a ring holds. What comes under a key that is not
// held leads to a question to the configured address of the host that it names, at most every fourth interval for boots of which nothing
// is known. A flood in the name of one host can delay a restart of that host being noticed; boots that are proved are not affected,
// because their keys are at hand.
//
// Testing: replay_test.go plays everything ever recorded back in any order across restarts and checks the guarantees
// above; fuzz_test.go damages datagrams.
package wire
