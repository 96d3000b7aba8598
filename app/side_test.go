package app_test

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"testing"

	"doorward/internal/porttest"
)

// ask asks a side listener and returns what it says, "" when it says nothing.
func ask(t *testing.T, address, path string) string {
	t.Helper()
	r, err := http.Get("http://" + address + path)
	if err != nil {
		return ""
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil || r.StatusCode != http.StatusOK {
		return r.Status
	}
	return string(body)
}

// An address of the statistics may become another one that overlaps it, change what
// it serves, or become one for requests, and the other way round.
func TestReloadChangesTheRoleOfAnAddress(t *testing.T) {
	url, port := server(t, "app"), strconv.Itoa(porttest.Free(t))
	local, everywhere := "127.0.0.1:"+port, ":"+port
	free := porttest.Address(t)
	stats := func(keys string) string { return on(free, url) + "[stats]\n" + keys }
	e := start(t, stats(fmt.Sprintf("metrics = %q\n", local)))
	for i, step := range []struct {
		config string
		path   string
		want   string
	}{
		{stats(fmt.Sprintf("health = %q\n", local)), "/metrics", "404 Not Found"},
		{stats(fmt.Sprintf("health = %q\n", everywhere)), "/readyz", "ok\n"},
		{stats(fmt.Sprintf("metrics = %q\n", local)), "/healthz", "ok\n"},
		{on(local, url), "/healthz", "421 Misdirected Request"},
		{stats(fmt.Sprintf("metrics = %q\n", everywhere)), "/healthz", "ok\n"},
	} {
		e.mustReload(step.config)
		eventually(t, fmt.Sprintf("step %d: %s answers %q", i, step.path, step.want), func() bool {
			return ask(t, local, step.path) == step.want
		})
	}
}
