// Package ping asks IPv4 addresses whether anybody is there, by ICMP echo.
//
// Usage: Ask sends an echo request to each address several times within a time and says which have answered. It needs no
// privilege where the kernel allows ping sockets to the process's group (net.ipv4.ping_group_range), and CAP_NET_RAW
// elsewhere.
//
// Concurrency: Ask may be called from any goroutine; each call has a socket of its own and a random token, so that answers to others
// are never taken for its own.
//
// Failure behaviour: an address that cannot be sent to counts as silent; an error means that nothing could be asked at all. A call ends
// with its time or its context, and its socket with it. At most MaxAddresses are asked, and every datagram that comes is looked
// at for a fixed number of bytes.
//
// Testing: answers of every damaged kind, a fuzz target for their parser, and the loopback interface for the sockets.
package ping
