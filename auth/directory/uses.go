package directory

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap"

	"doorward/internal/safe"
	"doorward/state"
)

// batch is how many tokens one write is about.
const batch = 200

// flushing writes the uses of tokens until the context ends.
func (d *Directory) flushing(ctx context.Context) {
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			d.flushLogged(ctx)
		}
	}
}

func (d *Directory) flushLogged(ctx context.Context) {
	defer safe.Recover(d.log, "directory: uses of tokens")
	if err := d.flush(ctx); err != nil && ctx.Err() == nil {
		d.log.Warn("when tokens were used last could not be written", zap.Error(err))
	}
}

// flush writes the uses of tokens since the last time.
func (d *Directory) flush(ctx context.Context) error {
	touched := d.tokens.takeTouched()
	for len(touched) > 0 {
		n := min(batch, len(touched))
		if err := d.writeUses(ctx, touched[:n]); err != nil {
			d.tokens.untake(touched)
			return err
		}
		touched = touched[n:]
	}
	return nil
}

func (d *Directory) writeUses(ctx context.Context, list []*token) error {
	uses := make(map[string]int64, len(list))
	for _, t := range list {
		if d.tokens.find(t.hash) != nil {
			uses[t.hash.text()] = t.lastUsed.Load()
		}
	}
	if len(uses) == 0 {
		return nil
	}
	changes := make([]state.Change, 0, len(uses)+1)
	for hash, at := range uses {
		value := strconv.AppendInt(nil, at, 10)
		changes = append(changes, state.Put(usedPrefix+hash, value, 0))
	}
	_, err := d.store.Write(ctx, append(changes, d.telling(event{Used: uses}))...)
	return err
}

// sweep removes from the store what is of no more use: tokens that ended long ago
// or whose user is gone, and uses of tokens that are gone.
func (d *Directory) sweep(ctx context.Context) error {
	var gone []string
	for _, t := range d.tokens.all() {
		ended := !t.Expires.IsZero() && d.now().Sub(t.Expires) > endedKeep
		if ended || t.person == nil {
			gone = append(gone, t.hash.text())
		}
	}
	for hashes := range slices.Chunk(gone, batch) {
		var changes []state.Change
		for _, hash := range hashes {
			changes = append(changes, state.Delete(tokenPrefix+hash), state.Delete(usedPrefix+hash),
				d.telling(event{Token: hash}))
			d.tokens.drop(hash)
		}
		if _, err := d.store.Write(ctx, changes...); err != nil {
			return err
		}
	}
	return d.sweepUses(ctx)
}

func (d *Directory) sweepUses(ctx context.Context) error {
	var changes []state.Change
	for entry, err := range d.store.All(ctx, usedPrefix) {
		if err != nil {
			return err
		}
		hash, ok := parseHash(strings.TrimPrefix(entry.Key, usedPrefix))
		if !ok || d.tokens.find(hash) == nil {
			changes = append(changes, state.Delete(entry.Key))
		}
	}
	for part := range slices.Chunk(changes, state.MaxChanges) {
		if _, err := d.store.Write(ctx, part...); err != nil {
			return err
		}
	}
	return nil
}
