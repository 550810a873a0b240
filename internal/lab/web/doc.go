// Package web is the small application that runs on each host of a lab: it says which host answered.
//
// Usage: Run with the addresses to listen on. GET / answers the host's name; GET /slow?ms=N does so after N milliseconds. The
// echo server sends a line with the host's name and after that exactly what it gets.
//
// Concurrency: Run serves until its context ends; everything else is its own.
//
// Failure behaviour: an address that cannot be bound ends Run at once. When the context ends, open connections are
// closed with it.
//
// Testing: plain sockets on the loopback.
package web
