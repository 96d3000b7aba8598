package proxy

import "time"

// IsGRPC tells whether the request is a call of gRPC.
func (t *Trial) IsGRPC() bool { return t.x.isGRPC() }

// CallTimeout is parseCallTimeout.
func CallTimeout(v string) (time.Duration, bool) { return parseCallTimeout([]byte(v)) }

// GRPCStatus is grpcStatus.
func GRPCStatus(status int) int { return grpcStatus(status) }

// GRPCCodeOf is grpcCodeOf.
func GRPCCodeOf(err error) int { return grpcCodeOf(err) }

// AppendPercent is appendPercent.
func AppendPercent(text string) string { return string(appendPercent(nil, text)) }
