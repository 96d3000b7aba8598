package health

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"syscall"
	"time"

	"doorward/proxy/backend"
)

const (
	// maxHead and maxBody are how much of an answer is read, in bytes.
	maxHead = 16 << 10
	maxBody = 16 << 10
	// readSize fits the head of nearly every answer.
	readSize = 2 << 10
)

// Probe does one check now and reports how it went. It ends early when ctx does.
func Probe(ctx context.Context, c *Check, peer Peer) Result {
	return c.probe(ctx, peer, newInbox())
}

// probe is Probe for those who do many checks, and keep what answers are read
// through.
func (c *Check) probe(ctx context.Context, peer Peer, in *inbox) Result {
	start := time.Now()
	r := c.run(ctx, peer, start, in)
	r.At = time.Now()
	r.Took = r.At.Sub(start)
	return r
}

// run does everything but the last look at the clock.
func (c *Check) run(ctx context.Context, peer Peer, start time.Time, in *inbox) Result {
	limit, cancel := context.WithDeadline(ctx, start.Add(c.timing.connect()))
	conn, times, err := peer.Dial(limit, c.to)
	cancel()
	r := Result{Dial: times}
	if err != nil {
		r.Outcome, r.Description = unreached(times, err)
		return r
	}
	defer hangUp(conn)
	switch {
	case c.kind == TCP:
		r.Outcome = L4OK
	case c.kind == TLS && times.TLS == 0:
		r.Outcome, r.Description = L6Response, "requests to this server go without TLS"
	case c.kind == TLS:
		r.Outcome = L6OK
	default:
		until := c.timing.until(start, time.Now())
		_ = conn.SetDeadline(until)
		// Nobody else ends a read when the check is called off.
		defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })()
		if c.shared != nil {
			c.askShared(conn, until, &r)
			break
		}
		in.open(conn)
		defer in.close()
		c.ask(conn, in, &r)
	}
	return r
}

// unreached says why there is no connection.
func unreached(times backend.DialTimes, err error) (Outcome, string) {
	var fault net.Error
	late := errors.As(err, &fault) && fault.Timeout()
	switch {
	case late && times.TLS > 0:
		return L6Timeout, "no TLS handshake in time"
	case times.TLS > 0:
		return L6Response, cause(err)
	case late && times.Connect == 0 && times.Resolve > 0:
		return L4Timeout, "no address in time"
	case late:
		return L4Timeout, "no connection in time"
	case localFault(err):
		return SocketError, cause(err)
	}
	return L4Connect, cause(err)
}

// localFault tells errors that are about this machine and not about the server.
func localFault(err error) bool {
	return slices.ContainsFunc([]error{
		syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.EADDRNOTAVAIL,
	}, func(local error) bool { return errors.Is(err, local) })
}

// hangUp closes a connection at once and for both sides, as HAProxy does: a
// polite end would leave one of them with a socket in TIME_WAIT for each check.
func hangUp(conn net.Conn) {
	type layer interface{ NetConn() net.Conn }
	bare := conn
	for over, ok := bare.(layer); ok; over, ok = bare.(layer) {
		bare = over.NetConn()
	}
	if socket, ok := bare.(interface{ SetLinger(seconds int) error }); ok {
		_ = socket.SetLinger(0)
	}
	_ = conn.Close()
}

// ask sends the request and judges the answer.
func (c *Check) ask(conn net.Conn, in *inbox, r *Result) {
	sent := time.Now()
	if _, err := conn.Write(c.request); err != nil {
		r.Outcome, r.Description = broken(err)
		return
	}
	if _, err := in.buffer.Peek(1); err != nil {
		r.Outcome, r.Description = broken(err)
		return
	}
	r.FirstByte = time.Since(sent)
	answer, err := c.readHead(in.buffer)
	if err != nil {
		if in.over {
			err = errTooLong // and not what the cut made of the line
		}
		r.Outcome, r.Description = broken(err)
		return
	}
	in.left = max(0, maxBody-in.buffer.Buffered())
	c.judge(answer, r)
}

// judge looks at an answer whose head is here.
func (c *Check) judge(answer *http.Response, r *Result) {
	r.Code = answer.StatusCode
	found := c.expect.head(answer)
	if c.expect.aboutBody() && found == (fault{}) {
		var err error
		if found, err = c.readBody(answer.Body); err != nil {
			r.Outcome, r.Description = broken(err)
			return
		}
	}
	r.Outcome = L7OK
	if bad := c.expect.judge(found); bad != (fault{}) {
		r.Outcome, r.Description = bad.outcome, describe("%s", bad.text)
	}
}

// readHead reads past interim answers, RFC 9110 section 15.2.
func (c *Check) readHead(from *bufio.Reader) (*http.Response, error) {
	for {
		answer, err := http.ReadResponse(from, c.asked)
		if err != nil {
			return nil, err
		}
		if answer.StatusCode >= 200 || answer.StatusCode == http.StatusSwitchingProtocols {
			return answer, nil
		}
	}
}

// readBody looks at the body up to its end, or as far as is allowed. One that
// does not end in time may have said what was waited for.
func (c *Check) readBody(from io.Reader) (fault, error) {
	body, err := io.ReadAll(io.LimitReader(from, maxBody))
	found := c.expect.content(body)
	if errors.Is(err, os.ErrDeadlineExceeded) && (found != (fault{}) || c.expect.not) {
		return found, err
	}
	return found, nil
}

// broken says why there is no answer.
func broken(err error) (Outcome, string) {
	var fault *net.OpError
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return L7Timeout, "no answer in time"
	case errors.Is(err, errTooLong):
		return L7Response, errTooLong.Error()
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return L7Response, "closed without an answer"
	case errors.As(err, &fault):
		return SocketError, cause(err)
	}
	return L7Response, cause(err)
}

var errTooLong = errors.New("the head of the answer is longer than 16 KiB")
