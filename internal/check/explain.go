package check

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"time"
)

// place says what a failed probe was about.
type place struct {
	check   string
	target  string // host:port
	key     string // where in the configuration's check the address stands
	timeout time.Duration
}

func (p place) setting() string { return fmt.Sprintf("`checks.%s.%s`", p.check, p.key) }

// explain says in words what went wrong with a connection, and what to do about it.
func explain(err error, p place) (what, remedy string) {
	if what, remedy = explainDial(err, p); what != "" {
		return what, remedy
	}
	if what, remedy = explainTLS(err, p); what != "" {
		return what, remedy
	}
	half := errors.Is(err, errHalf)
	switch {
	case late(err) && half:
		return fmt.Sprintf("%s began to answer and did not end within %v", p.target, p.timeout), slow(p)
	case late(err):
		return fmt.Sprintf("%s took the connection and did not answer within %v", p.target, p.timeout), slow(p)
	case closed(err):
		return fmt.Sprintf("%s closed the connection before its answer was complete", p.target), "look into the service's log: it may be overloaded or expect TLS"
	case strings.Contains(err.Error(), "exceeded"):
		return fmt.Sprintf("%s sent more than %d bytes of headers", p.target, maxHeaders), "ask for a smaller page in " + p.setting()
	case strings.Contains(err.Error(), "malformed"):
		return fmt.Sprintf("%s does not speak HTTP: %v", p.target, err), fmt.Sprintf("correct the port in %s, or use a `tcp` check", p.setting())
	}
	return err.Error(), "look at the service, or correct " + p.setting()
}

func slow(p place) string {
	return fmt.Sprintf("find out why the service is slow, or raise `checks.%s.timeout`", p.check)
}

func late(err error) bool {
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded)
}

// closed knows the many ways in which a service that hangs up meets a request that is being written.
func closed(err error) bool {
	for _, e := range []error{syscall.ECONNRESET, syscall.EPIPE, io.EOF, io.ErrUnexpectedEOF} {
		if errors.Is(err, e) {
			return true
		}
	}
	return strings.Contains(err.Error(), "server closed idle connection") // net/http keeps this one to itself
}

// explainDial is for connections that were never made.
func explainDial(err error, p place) (what, remedy string) {
	if name, ok := errors.AsType[*net.DNSError](err); ok {
		return fmt.Sprintf("the name %s could not be resolved: %s", name.Name, name.Err), "use an address in " + p.setting() + ", or mend this host's resolver"
	}
	op, ok := errors.AsType[*net.OpError](err)
	if !ok || op.Op != "dial" || errors.Is(err, syscall.ECONNRESET) { // reset while it was being made: taken, and dropped
		return "", ""
	}
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Sprintf("nothing listens on %s", p.target), "start the service, or correct " + p.setting()
	case late(err) || op.Timeout():
		return fmt.Sprintf("no connection to %s within %v", p.target, p.timeout), "look whether the service is overloaded or a packet filter drops connections to it"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fmt.Sprintf("no local port or address is left to reach %s from", p.target), "look at `ss -s`: too many connections of this host are open or in TIME-WAIT"
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH):
		return fmt.Sprintf("this host has no way to %s", p.target), "look at `ip route`, or correct " + p.setting()
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		return "this host has no file descriptors left", "raise the limit (LimitNOFILE= in the unit) or find out who holds them"
	}
	return op.Error(), "look at the service, or correct " + p.setting()
}

// explainTLS is for certificates and for talking TLS to what does not.
func explainTLS(err error, p place) (what, remedy string) {
	if cert, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return fmt.Sprintf("the certificate of %s is not good: %v", p.target, cert.Err),
			fmt.Sprintf("renew it or trust its issuer on this host; if it is for another name, give that in `checks.%s.http.host`", p.check)
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok || strings.Contains(err.Error(), "server gave HTTP response to HTTPS client") {
		return fmt.Sprintf("%s does not speak TLS", p.target), "use http:// in " + p.setting()
	}
	return "", ""
}
