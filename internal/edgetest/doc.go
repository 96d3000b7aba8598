// Package edgetest runs the real edge between a raw client and a recording
// server, for tests that judge it by the bytes on both sides.
//
//	rec := edgetest.Record(t, edgetest.Echo)
//	edge := edgetest.Start(t, edgetest.Config{Text: rec.Backend("app") + `
//		[[route]]
//		hosts = ["app.example"]
//		backend = "app"`})
//	edgetest.Run(t, edge, rec, []edgetest.Case{{
//		Name: "H1-01_CL.TE", Status: 400, Closes: true,
//		Send: []string{"POST / HTTP/1.1⏎Host: app.example⏎...⏎⏎0⏎⏎"},
//	}})
//
// Everywhere ⏎ stands for CR LF. Messages are read by a parser that shares no
// code with the one under test. No call sleeps: what must happen is waited for,
// with Patience as the bound.
//
// It imports app, which only tests may: nothing that ships imports it.
package edgetest

import (
	"strings"
	"time"
)

// Patience is how long anything may take that must happen. It is generous, since
// it is only spent by tests that fail.
const Patience = 10 * time.Second

// Bytes replaces every ⏎ of text by CR LF.
func Bytes(text string) string { return strings.ReplaceAll(text, "⏎", "\r\n") }
