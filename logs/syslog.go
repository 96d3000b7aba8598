package logs

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// Facility local0, as HAProxy's examples have it.
const facility = 16

const (
	syslogTimeout = time.Second // to connect, and to hand over one write
	syslogPause   = time.Second // between attempts to connect
)

// errPaused stands for the error of the last attempt while none is made.
var errPaused = errors.New("syslog is not reachable")

// syslog is a sink that speaks RFC 5424, over datagrams or over TCP with octet
// counting (RFC 6587, section 3.4.1). The standard library's log/syslog speaks
// the older format alone, cannot frame messages on TCP, and waits without a
// limit for a server that does not read.
type syslog struct {
	network, address string
	// tail is what stands between the time and the message of every line.
	tail string

	mu     sync.Mutex
	conn   net.Conn
	closed bool
	next   time.Time // no attempt to connect before
	buf    []byte
}

// newSyslog does not connect: a log server that is away does not stop the start.
func newSyslog(network, address, id string) *syslog {
	host, err := os.Hostname()
	if err != nil || host == "" {
		host = "-"
	}
	return &syslog{
		network: network,
		address: address,
		tail:    fmt.Sprintf(" %s doorward %d %s - ", host, os.Getpid(), id),
	}
}

func (s *syslog) write(level severity, lines []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.connect(); err != nil {
		return 0, err
	}
	if err := s.conn.SetWriteDeadline(time.Now().Add(syslogTimeout)); err != nil {
		return 0, s.drop(err)
	}
	head := "<" + strconv.Itoa(facility*8+int(level)) + ">1 " +
		time.Now().UTC().Format("2006-01-02T15:04:05.000000Z") + s.tail
	if s.network == "tcp" {
		return s.stream(head, lines)
	}
	return s.datagrams(head, lines)
}

func (s *syslog) connect() error {
	switch now := time.Now(); {
	case s.conn != nil:
		return nil
	case s.closed:
		return net.ErrClosed
	case now.Before(s.next):
		return errPaused
	}
	s.next = time.Now().Add(syslogPause)
	conn, err := net.DialTimeout(s.network, s.address, syslogTimeout)
	if err != nil {
		return err
	}
	s.conn = conn
	return nil
}

// drop gives up the connection after err. A new one is tried at the next write,
// as a log server that was restarted is there again by then.
func (s *syslog) drop(err error) error {
	s.conn.Close()
	s.conn = nil
	return err
}

// stream sends all lines in one write. After an error it is not known which
// arrived; all count as lost.
func (s *syslog) stream(head string, lines []byte) (int, error) {
	s.buf = s.buf[:0]
	n := 0
	for line := range bytes.Lines(lines) {
		line = line[:len(line)-1]
		s.buf = strconv.AppendInt(s.buf, int64(len(head)+len(line)), 10)
		s.buf = append(s.buf, ' ')
		s.buf = append(append(s.buf, head...), line...)
		n++
	}
	if _, err := s.conn.Write(s.buf); err != nil {
		return 0, s.drop(err)
	}
	return n, nil
}

func (s *syslog) datagrams(head string, lines []byte) (int, error) {
	var n int
	var tooLong error
	for line := range bytes.Lines(lines) {
		s.buf = append(append(s.buf[:0], head...), line[:len(line)-1]...)
		switch _, err := s.conn.Write(s.buf); {
		case err == nil:
			n++
		case errors.Is(err, syscall.EMSGSIZE):
			tooLong = err // the fault of this line alone
		default:
			return n, s.drop(err)
		}
	}
	return n, tooLong
}

// reopen connects anew at the next line.
func (s *syslog) reopen() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn != nil {
		s.conn.Close()
		s.conn = nil
	}
	s.next = time.Time{}
	return nil
}

func (s *syslog) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	if s.conn == nil {
		return nil
	}
	err := s.conn.Close()
	s.conn = nil
	return err
}
