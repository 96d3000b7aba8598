// Package logs writes the two logs of Doorward: the process log, through zap,
// and the access log, one line for each request, as JSON or as HAProxy's httplog
// line. Both go to standard error, to a file, or to syslog.
//
// The access log never makes a request wait: lines are handed over in memory, in
// bounds, and written by one goroutine. When the output is slow or fails, lines
// are counted as lost, and the process log says how many.
//
// It leaves to others: what is logged and when (proxy fills the access.Record),
// and when files are opened again (app, on reload).
package logs

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"sync/atomic"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// Options describes the process log. The zero value writes info and worse as
// JSON to standard error.
type Options struct {
	// Level is the least severe level written: "debug", "info", "warn" or
	// "error"; "" means "info".
	Level string
	// Format is "json" or "console", for people; "" means "json".
	Format string
	// Output says where lines go: "stderr", "stdout", the path of a file, or
	// syslog, in RFC 5424: "syslog" for the one of this machine,
	// "syslog+unix:///path", "syslog+udp://host:port" or
	// "syslog+tcp://host:port". "" means "stderr". A file is appended to and
	// made with mode 0640.
	Output string
}

// ErrOption means an option has none of the values it may have.
var ErrOption = errors.New("unknown value")

// Process is the process log. Its loggers stay valid when its options change, so
// they may be kept anywhere. It may be used from many goroutines. A line that
// cannot be written is counted and dropped: logging never fails its caller.
type Process struct {
	now    atomic.Pointer[outlet]
	logger *zap.Logger
	lost   atomic.Uint64
}

// outlet is what a Process writes to until it is replaced.
type outlet struct {
	level   zapcore.Level
	encoder zapcore.Encoder
	sink    sink
}

// New opens a process log. The error names the option at fault.
func New(o Options) (*Process, error) {
	level, ok := map[string]zapcore.Level{
		"": zapcore.InfoLevel, "debug": zapcore.DebugLevel, "info": zapcore.InfoLevel,
		"warn": zapcore.WarnLevel, "error": zapcore.ErrorLevel,
	}[o.Level]
	if !ok {
		return nil, fmt.Errorf("log level %q: %w, use debug, info, warn or error",
			o.Level, ErrOption)
	}
	var encoder zapcore.Encoder
	switch o.Format {
	case "", "json":
		encoder = zapcore.NewJSONEncoder(processKeys(utcMillis))
	case "console":
		encoder = zapcore.NewConsoleEncoder(processKeys(localMillis))
	default:
		return nil, fmt.Errorf("log format %q: %w, use json or console", o.Format, ErrOption)
	}
	s, err := openSink(o.Output, "process")
	if err != nil {
		return nil, fmt.Errorf("log output: %w", err)
	}
	p := &Process{}
	p.now.Store(&outlet{level: level, encoder: encoder, sink: s})
	// zap would report failed writes on standard error, and a closed pipe there
	// ends the process; core counts them instead.
	p.logger = zap.New(core{process: p}, zap.ErrorOutput(zapcore.AddSync(io.Discard)))
	return p, nil
}

const (
	utcMillis   = "2006-01-02T15:04:05.000Z"
	localMillis = "2006-01-02 15:04:05.000"
)

func processKeys(layout string) zapcore.EncoderConfig {
	return zapcore.EncoderConfig{
		TimeKey: "time", LevelKey: "level", NameKey: "logger", MessageKey: "msg",
		EncodeTime:     timeEncoder(layout),
		EncodeLevel:    zapcore.LowercaseLevelEncoder,
		EncodeDuration: zapcore.StringDurationEncoder,
		EncodeName:     zapcore.FullNameEncoder,
		// Lines are ended by us, after unprintable runes were escaped.
		SkipLineEnding:   true,
		ConsoleSeparator: "  ",
	}
}

// Logger returns the logger that writes to p.
func (p *Process) Logger() *zap.Logger { return p.logger }

// Lost returns how many lines could not be written.
func (p *Process) Lost() uint64 { return p.lost.Load() }

// Replace lets p write as next was opened to, and closes what p wrote to so far.
// It cannot fail, which suits the end of a reload; next must not be used any
// more.
func (p *Process) Replace(next *Process) {
	old := p.now.Swap(next.now.Load())
	old.sink.close()
}

// Reopen opens a file again, after it was rotated. On an error the old one stays
// in use.
func (p *Process) Reopen() error { return p.now.Load().sink.reopen() }

// Close closes the output. Lines logged later are lost.
func (p *Process) Close() error { return p.now.Load().sink.close() }

// core is the zapcore.Core of a Process: it finds the outlet anew for every
// line.
type core struct {
	process *Process
	with    []zapcore.Field
}

// Enabled implements zapcore.LevelEnabler.
func (c core) Enabled(level zapcore.Level) bool {
	return c.process.now.Load().level.Enabled(level)
}

// With implements zapcore.Core.
func (c core) With(fields []zapcore.Field) zapcore.Core {
	return core{process: c.process, with: slices.Concat(c.with, fields)}
}

// Check implements zapcore.Core.
func (c core) Check(e zapcore.Entry, checked *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if !c.Enabled(e.Level) {
		return checked
	}
	return checked.AddCore(e, c)
}

// Write implements zapcore.Core. It returns no error.
func (c core) Write(e zapcore.Entry, fields []zapcore.Field) error {
	fields = slices.Concat(c.with, fields)
	for {
		out := c.process.now.Load()
		if out.write(e, fields) == nil {
			return nil
		}
		if c.process.now.Load() == out { // not just replaced under our hands
			c.process.lost.Add(1)
			return nil
		}
	}
}

// Sync implements zapcore.Core; nothing is held back.
func (c core) Sync() error { return nil }

func (o *outlet) write(e zapcore.Entry, fields []zapcore.Field) error {
	text, err := o.encoder.EncodeEntry(e, fields)
	if err != nil {
		return err
	}
	defer text.Free()
	line := make([]byte, 0, text.Len()+1)
	line = append(appendPrintable(line, text.Bytes()), '\n')
	_, err = o.sink.write(severityOf(e.Level), line)
	return err
}
