package main

import (
	"errors"
	"fmt"
	"net"
)

// answerCommand makes this program a web server that does as little as possible: what is measured is the way to it.
const answerCommand = "answer"

// runAnswer answers whatever is asked in one packet, and closes.
func runAnswer(args []string) error {
	if len(args) != 1 {
		return errors.New("usage: answer ADDRESS")
	}
	listener, err := net.Listen("tcp", args[0])
	if err != nil {
		return fmt.Errorf("serve: %w", err)
	}
	for {
		conn, err := listener.Accept()
		if err != nil {
			return fmt.Errorf("serve: %w", err)
		}
		go answerOne(conn)
	}
}

func answerOne(conn net.Conn) {
	defer conn.Close()
	var request [1024]byte
	if _, err := conn.Read(request[:]); err != nil {
		return
	}
	_, _ = conn.Write([]byte("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n"))
}
