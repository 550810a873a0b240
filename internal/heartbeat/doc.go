// Package heartbeat is what hosts tell each other every interval and how it travels: the message, its encoding, and the
// networks between hosts.
//
// Usage: New opens the network of one local address. Send tells all others; Wake says that something has arrived and Drain
// hands over all that has. Farewells are sealed in advance for the guard process.
//
//	for {
//		select {
//		case <-tick:
//			network.Drain(hear) // first hear what waits, then count silence
//			network.Send(say)
//		case <-network.Wake():
//			network.Drain(hear)
//		}
//	}
//
// There is no queue besides the kernel's: Drain reads the socket in the caller's goroutine. So a host that was stalled hears
// all that waits before it accuses anybody, a slow caller blocks nobody, and memory is bounded by the receive buffer. Of one boot,
// a heartbeat older than one already handed over is counted as late and dropped: the newest wins.
//
// What a heartbeat does not say of holdings stands as it was: with many rules they are spread over successive heartbeats
// (Fit).
//
// Another kind of network, such as multicast, is another Path.
//
// Concurrency: all methods may be called from any goroutine; the function given to Drain runs in the caller's and may call
// Send, but not Drain. The function given to Send must not call Send.
//
// Failure behaviour: a datagram that cannot be sent is counted for that host, and logged when sending starts and stops
// failing; the next heartbeat is the repetition. Datagrams go to configured addresses only, never back to where one came
// from. What arrives and is not good is counted by reason.
//
// Testing: the encoding is fuzzed and compared with itself; network_test.go runs hosts on a fake path under testing/synctest,
// unicast_test.go on loopback addresses.
package heartbeat
