package dnsprovider

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/libdns/libdns"
)

// editor adds to sets and takes from them. A wildcard and the name above it are
// challenged at one name: the text of the other must stay.
type editor struct {
	mu   sync.Mutex // one change at a time, or one would overwrite the other
	sets sets
}

// AppendRecords implements libdns.RecordAppender, for texts.
func (e *editor) AppendRecords(
	ctx context.Context, zone string, records []libdns.Record,
) ([]libdns.Record, error) {
	return e.edit(ctx, zone, records, func(texts []string, text string) []string {
		if slices.Contains(texts, text) {
			return texts
		}
		return append(texts, text)
	})
}

// DeleteRecords implements libdns.RecordDeleter, for texts.
func (e *editor) DeleteRecords(
	ctx context.Context, zone string, records []libdns.Record,
) ([]libdns.Record, error) {
	return e.edit(ctx, zone, records, func(texts []string, text string) []string {
		return slices.DeleteFunc(texts, func(t string) bool { return t == text })
	})
}

// edit changes the texts of each record's name.
func (e *editor) edit(
	ctx context.Context, zone string, records []libdns.Record,
	change func(texts []string, text string) []string,
) (done []libdns.Record, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, r := range records {
		rr := r.RR()
		if rr.Type != "TXT" {
			return done, fmt.Errorf("%s record: challenges need TXT alone", rr.Type)
		}
		name := strings.TrimSuffix(libdns.AbsoluteName(rr.Name, zone), ".")
		texts, state, err := e.sets.get(ctx, zone, name)
		if err == nil {
			err = e.sets.put(ctx, zone, name, state, change(slices.Clone(texts), rr.Data))
		}
		if err != nil {
			return done, fmt.Errorf("TXT record of %s: %w", name, err)
		}
		done = append(done, r)
	}
	return done, nil
}

// ttl is how long answers about a challenge may be kept, in seconds.
const ttl = 60
