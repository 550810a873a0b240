// Package heartbeat is what hosts tell each other every interval and how it travels: the message, its encoding, and the
// networks between hosts.
//
// Usage: NewNetworks opens all networks between the hosts. Send tells all others on each; Wake says that something has arrived and
// Drain hands over all that has, each heartbeat once, whichever network brings it first. Farewells are sealed in
// advance for the guard process.
//
//	for {
//		select {
//		case <-tick:
//			networks.Drain(hear) // first hear what waits, then count silence
//			networks.Send(say)
//		case <-networks.Wake():
//			networks.Drain(hear)
//		}
//	}
//
// The first network carries the hosts' configured addresses and must be there. On others a host uses the best kind of address that
// all hosts have there (address.go), link-local IPv6 if there is nothing else, and says so in its heartbeats on the networks that work
// already. A network's multicast is of the same family. Sockets are opened and closed beside those who speak and listen (follow.go).
//
// There is no queue besides the kernel's: Drain reads the socket in the caller's goroutine. So a host that was stalled hears
// all that waits before it accuses anybody, a slow caller blocks nobody, and memory is bounded by the receive buffer. Of one boot,
// a heartbeat older than one already handed over is counted as late and dropped: the newest wins.
//
// What a heartbeat does not say of holdings stands as it was: with many rules they are spread over successive heartbeats
// (Fit).
//
// Hosts of different versions understand each other: every heartbeat begins with the range of versions that its sender speaks, and is
// written in the highest that all hosts speak that are heard (negotiation.go, docs/design/0007-versions.md). Common says which that is.
//
// Each network has a multicast beside it (cast.go), which SetMulticast switches: unicast goes on to every host that does not say
// that it hears us on the group.
//
// Concurrency: all methods may be called from any goroutine; the function given to Drain runs in the caller's and may call
// Send, but not Drain. The function given to Send must not call Send.
//
// Failure behaviour: a network whose interface is gone is down, and looked for every second. A datagram that cannot be sent is counted for that
// host, and logged when sending starts and stops failing; the next heartbeat is the repetition. Datagrams go to configured addresses only, never back to where one came
// from, or to those that the proved host itself says. What arrives and is not good is counted by reason.
//
// Testing: the encoding is fuzzed and compared with itself; network_test.go and networks_test.go run hosts on fake paths under
// testing/synctest, unicast_test.go on loopback addresses.
package heartbeat
