package logs

import (
	"bytes"
	"crypto/tls"
	"math"
	"time"

	"doorward/internal/access"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// jsonLine encodes records as JSON, one object a line. Its keys:
//
//	msg              always "request"
//	time             when the request began, RFC 3339 in UTC
//	client           address; client_port its port
//	listener         as configured; scheme is "http" or "https"
//	method, host     as received
//	path, query      the target; query only if it is wanted
//	protocol, status of the answer, 0 when there was none
//	route, backend, server
//	user             who was signed in
//	request_id, user_agent, referer
//	bytes_in, bytes_out
//	time_request_ms  to receive the head (HAProxy's TR)
//	time_queue_ms    waiting for a server (Tw)
//	time_connect_ms  to connect to it (Tc)
//	time_response_ms until the head of its answer (Tr)
//	time_active_ms   all of it (Ta)
//	retries, redispatched, termination (HAProxy's two characters)
//	rate_limit       the limit that refused the request, or only counted it
//	tls_version, tls_cipher
//	conns_active, conns_listener, conns_backend, conns_server
//	queue_server, queue_backend
//	error            why it failed
//
// Keys are fixed, what clients send is in values only. What is absent has no
// key; so has a phase that did not happen, whose -1 would spoil every average.
type jsonLine struct {
	encoder zapcore.Encoder
	fields  []zapcore.Field // the one that calls MarshalLogObject
	record  *access.Record
	scratch []byte
	ciphers map[uint16]string // crypto/tls builds its list anew for every name
}

func newJSON() encoder {
	j := &jsonLine{ciphers: map[uint16]string{}}
	j.encoder = zapcore.NewJSONEncoder(zapcore.EncoderConfig{
		MessageKey: "msg", SkipLineEnding: true, EncodeTime: timeEncoder(utcMicros),
	})
	j.fields = []zapcore.Field{zap.Inline(j)}
	return j
}

const utcMicros = "2006-01-02T15:04:05.000000Z"

func (j *jsonLine) append(dst []byte, r *access.Record) []byte {
	j.record = r
	// The encoder of zap returns no error of its own, and MarshalLogObject none.
	text, err := j.encoder.EncodeEntry(zapcore.Entry{Message: "request"}, j.fields)
	if err != nil {
		return dst
	}
	dst = append(appendPrintable(dst, text.Bytes()), '\n')
	text.Free()
	return dst
}

// MarshalLogObject implements zapcore.ObjectMarshaler for the record at hand.
func (j *jsonLine) MarshalLogObject(enc zapcore.ObjectEncoder) error {
	r := j.record
	enc.AddTime("time", r.Start)
	if r.Client.IsValid() {
		j.scratch = r.Client.Addr().Unmap().AppendTo(j.scratch[:0])
		enc.AddByteString("client", j.scratch)
		enc.AddUint16("client_port", r.Client.Port())
	}
	addString(enc, "listener", r.Listener)
	addString(enc, "scheme", r.Scheme)
	addBytes(enc, "method", r.Method)
	addBytes(enc, "host", r.Host)
	path, query, _ := bytes.Cut(r.Target, []byte("?"))
	addBytes(enc, "path", path)
	addBytes(enc, "query", query)
	addString(enc, "protocol", r.Protocol)
	enc.AddInt("status", r.Status)
	addString(enc, "route", r.Route)
	addString(enc, "backend", r.Backend)
	addString(enc, "server", r.Server)
	addString(enc, "user", r.User)
	addBytes(enc, "request_id", r.RequestID)
	addBytes(enc, "user_agent", r.UserAgent)
	addBytes(enc, "referer", r.Referer)
	enc.AddInt64("bytes_in", r.BytesIn)
	enc.AddInt64("bytes_out", r.BytesOut)
	addTimers(enc, r)
	enc.AddInt("retries", r.Retries)
	enc.AddBool("redispatched", r.Redispatched)
	state := termination(r)
	enc.AddByteString("termination", state[:])
	addString(enc, "rate_limit", r.RateLimit)
	if r.TLSVersion != 0 {
		enc.AddString("tls_version", tlsVersion(r.TLSVersion))
		enc.AddString("tls_cipher", j.cipher(r.TLSCipher))
	}
	addCounts(enc, r)
	if r.Err != nil {
		text := r.Err.Error()
		enc.AddString("error", text[:min(len(text), maxField)])
	}
	return nil
}

func (j *jsonLine) cipher(id uint16) string {
	name, ok := j.ciphers[id]
	if !ok {
		name = tls.CipherSuiteName(id)
		j.ciphers[id] = name
	}
	return name
}

func addTimers(enc zapcore.ObjectEncoder, r *access.Record) {
	addTimer(enc, "time_request_ms", r.Request)
	addTimer(enc, "time_queue_ms", r.Queue)
	addTimer(enc, "time_connect_ms", r.Connect)
	addTimer(enc, "time_response_ms", r.Response)
	addTimer(enc, "time_active_ms", r.Active)
}

func addCounts(enc zapcore.ObjectEncoder, r *access.Record) {
	enc.AddInt64("conns_active", r.ActiveConns)
	enc.AddInt64("conns_listener", r.FrontendConns)
	enc.AddInt64("conns_backend", r.BackendConns)
	enc.AddInt64("conns_server", r.ServerConns)
	enc.AddInt64("queue_server", r.ServerQueue)
	enc.AddInt64("queue_backend", r.BackendQueue)
}

func addString(enc zapcore.ObjectEncoder, key, value string) {
	if value != "" {
		enc.AddString(key, value)
	}
}

func addBytes(enc zapcore.ObjectEncoder, key string, value []byte) {
	if len(value) > 0 {
		enc.AddByteString(key, value)
	}
}

func addTimer(enc zapcore.ObjectEncoder, key string, d time.Duration) {
	if d >= 0 {
		enc.AddFloat64(key, math.Round(float64(d)/1e3)/1e3)
	}
}

// termination returns the state at the end, "--" when none was set.
func termination(r *access.Record) [2]byte {
	state := r.Termination
	for i, c := range state {
		if c == 0 {
			state[i] = '-'
		}
	}
	return state
}

// tlsVersion names a version as HAProxy and nginx do.
func tlsVersion(v uint16) string {
	switch v {
	case tls.VersionTLS12:
		return "TLSv1.2"
	case tls.VersionTLS13:
		return "TLSv1.3"
	}
	return tls.VersionName(v)
}
