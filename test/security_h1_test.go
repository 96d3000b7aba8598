package test_test

import (
	"testing"

	"doorward/internal/edgetest"
)

func TestSecurityH1(t *testing.T) {
	rec := edgetest.Record(t, edgetest.Echo)
	edge := edgetest.Start(t, edgetest.Config{Text: rec.Backend("app") + `
		[[route]]
		hosts = ["app.example"]
		backend = "app"
	`})
	edgetest.Run(t, edge, rec, []edgetest.Case{
		{
			Name: "H1-00_plain", Status: 200, Reach: 1,
			Send: []string{"GET / HTTP/1.1⏎Host: app.example⏎⏎", "POST / HTTP/1.1⏎Host: app.example⏎Content-Length: 5⏎⏎hello"},
		},
		{
			Name: "H1-01_CL.TE", Status: 400, Closes: true,
			Send: []string{"POST / HTTP/1.1⏎Host: app.example⏎Content-Length: 6⏎Transfer-Encoding: chunked⏎⏎0⏎⏎X"},
		},
	})
}
