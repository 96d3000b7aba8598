package logs

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"

	"go.uber.org/zap/zapcore"
	"golang.org/x/sys/unix"
)

// sink is where finished lines go. It may be used from many goroutines.
type sink interface {
	// write hands over lines, each ended by a newline, and returns how many of
	// them arrived whole.
	write(s severity, lines []byte) (int, error)
	// reopen opens the output again; what was open stays in use on an error.
	reopen() error
	// close closes the output. Writes fail from then on.
	close() error
}

// severity is that of syslog (RFC 5424, section 6.2.1).
type severity int

const (
	severityError severity = 3
	severityWarn  severity = 4
	severityInfo  severity = 6
	severityDebug severity = 7
)

func severityOf(level zapcore.Level) severity {
	switch {
	case level >= zapcore.ErrorLevel:
		return severityError
	case level == zapcore.WarnLevel:
		return severityWarn
	case level == zapcore.InfoLevel:
		return severityInfo
	}
	return severityDebug
}

// openSink opens what Options.Output names. Lines in syslog are marked with id.
func openSink(output, id string) (sink, error) {
	switch {
	case output == "" || output == "stderr":
		return openStream(2, "stderr")
	case output == "stdout":
		return openStream(1, "stdout")
	case output == "syslog":
		path := "/dev/log"
		if runtime.GOOS == "darwin" {
			path = "/var/run/syslog"
		}
		return newSyslog("unixgram", path, id), nil
	case strings.HasPrefix(output, "syslog"):
		return openSyslog(output, id)
	}
	f := &file{path: output}
	return f, f.reopen()
}

func openSyslog(output, id string) (sink, error) {
	u, err := url.Parse(output)
	if err != nil {
		return nil, fmt.Errorf("%q: %w", output, errors.Unwrap(err))
	}
	network, ok := map[string]string{
		"syslog+unix": "unixgram", "syslog+udp": "udp", "syslog+tcp": "tcp",
	}[u.Scheme]
	address := u.Host
	if network == "unixgram" {
		address = u.Path
	} else if _, _, err := net.SplitHostPort(address); err != nil {
		ok = false
	}
	if !ok || address == "" {
		return nil, fmt.Errorf("%q: %w, use syslog, syslog+unix:///path, "+
			"syslog+udp://host:port or syslog+tcp://host:port", output, ErrOption)
	}
	return newSyslog(network, address, id), nil
}

// CheckOutput returns what is wrong with a value of Options.Output as far as
// that shows without opening it.
func CheckOutput(output string) error {
	switch {
	case output == "" || output == "stderr" || output == "stdout" || output == "syslog":
		return nil
	case strings.HasPrefix(output, "syslog"):
		_, err := openSyslog(output, "")
		return err
	}
	if err := writable(output); err != nil {
		return err
	}
	_, err := os.Stat(filepath.Dir(output))
	return err
}

// writable refuses what exists and cannot be appended to.
func writable(path string) error {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil // opening it tells
	case info.IsDir():
		return fmt.Errorf("%s: a folder, not a file", path)
	case info.Mode()&os.ModeNamedPipe != 0:
		return fmt.Errorf("%s: a named pipe, which would wait for its reader", path)
	}
	return nil
}

// file is a sink that appends to a file, or to an open stream when path is
// empty. Opening it again never waits for a write that hangs.
type file struct {
	path string
	f    atomic.Pointer[os.File]

	mu   sync.Mutex // one write at a time
	torn *os.File   // whose last write ended within a line
}

// openStream gives standard output or error a descriptor of its own. The
// runtime ends the process when a write to descriptor 1 or 2 meets a closed
// pipe; on any other it is an error like others, and the service goes on.
func openStream(fd uintptr, name string) (sink, error) {
	own, err := unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	s := &file{}
	s.f.Store(os.NewFile(uintptr(own), name))
	return s, nil
}

func (s *file) write(_ severity, lines []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		f := s.f.Load()
		n, err := s.writeTo(f, lines)
		if errors.Is(err, os.ErrClosed) && s.f.Load() != f {
			continue // opened again under our hands
		}
		return n, err
	}
}

func (s *file) writeTo(f *os.File, lines []byte) (int, error) {
	if s.torn == f { // a full disk took half a line: begin the next on its own
		if _, err := f.Write([]byte{'\n'}); err != nil {
			return 0, err
		}
		s.torn = nil
	}
	n, err := f.Write(lines)
	if err != nil && n > 0 && lines[n-1] != '\n' {
		s.torn = f
	}
	return bytes.Count(lines[:n], []byte{'\n'}), err
}

func (s *file) reopen() error {
	if s.path == "" {
		return nil
	}
	if err := writable(s.path); err != nil {
		return err
	}
	f, err := os.OpenFile(s.path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o640)
	if err != nil {
		return err
	}
	if old := s.f.Swap(f); old != nil {
		old.Close()
	}
	return nil
}

func (s *file) close() error { return s.f.Load().Close() }
