package main

import (
	"errors"
	"fmt"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"
)

// answerCommand makes this program a web server that does as little as possible: what is measured is the way to it.
const answerCommand = "answer"

// answerWait is the longest that the kernel keeps a connection from us that has said nothing yet, in seconds.
const answerWait = 5

var answerText = []byte("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n")

// runAnswer answers whatever is asked in one packet, and closes: four system calls a connection, one after the other. Go's own server
// makes a dozen and a goroutine, which cost more than any way to it that is compared.
func runAnswer(args []string) error {
	if len(args) != 1 {
		return errors.New("usage: answer PORT")
	}
	port, err := strconv.ParseUint(args[0], 10, 16)
	if err != nil {
		return fmt.Errorf("read port: %w", err)
	}
	runtime.LockOSThread()
	listener, err := listenRaw(int(port))
	if err != nil {
		return fmt.Errorf("serve: %w", err)
	}
	var request [1024]byte
	for {
		conn, _, err := unix.Accept4(listener, unix.SOCK_CLOEXEC)
		if errors.Is(err, unix.ECONNABORTED) || errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return fmt.Errorf("serve: %w", err)
		}
		if n, err := unix.Read(conn, request[:]); err == nil && n > 0 {
			_, _ = unix.Write(conn, answerText)
		}
		_ = unix.Close(conn)
	}
}

// listenRaw is a socket that hands out connections when they have asked something, so that one thread waits for nobody.
func listenRaw(port int) (int, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, fmt.Errorf("open socket: %w", err)
	}
	err = errors.Join(
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1),
		unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_DEFER_ACCEPT, answerWait),
		unix.Bind(fd, &unix.SockaddrInet4{Port: port}),
		unix.Listen(fd, unix.SOMAXCONN))
	if err != nil {
		_ = unix.Close(fd)
		return 0, fmt.Errorf("listen on port %d: %w", port, err)
	}
	return fd, nil
}
