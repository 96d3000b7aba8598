package state

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
	"go.uber.org/zap"

	"doorward/internal/safe"
)

// The layout of the file, version 1.
//
//	doorward  schema    -> 4 bytes, the version of the layout
//	entries   KEY       -> 8 bytes version, 8 bytes expiry (see expiry.go), value
//	logs      NAME      -> a bucket: 8 bytes position -> event
//
// The bucket of the entries counts versions, that of a log its positions. All
// numbers have their highest byte first, so that the order is theirs.
const (
	fileName = "doorward.db"
	schema   = 1
	header   = 16
)

var (
	aboutBucket   = []byte("doorward")
	entriesBucket = []byte("entries")
	logsBucket    = []byte("logs")
	schemaKey     = []byte("schema")
)

// file is the engine that keeps everything in one file, by bbolt: a tree of pages
// that are never changed in place. A write puts changed pages where nothing is,
// waits for the disk, and then makes one of the two root pages point to them and
// waits again. So whenever it is broken off, the file is as before or as after.
type file struct {
	path   string
	db     *bbolt.DB
	handle *os.File // the database's own, for letting go of it without it
	now    func() time.Time
	log    *zap.Logger
	bell   bell

	// harm is the first panic in the database. After it nothing is known of its
	// locks, so nobody goes there again.
	harm atomic.Pointer[error]

	writes  chan *write
	closing sync.Once
	closed  chan struct{} // Close was called
	stopped chan struct{} // the writer is gone
	result  error         // of Close

	swept    []byte // the key to sweep on after; the writer's
	sweepErr bool   // the last sweep failed; the writer's
}

// Close is Engine.Close.
func (f *file) Close() error {
	f.closing.Do(func() {
		close(f.closed)
		<-f.stopped
		if f.harm.Load() != nil {
			f.result = release(f.handle)
			return
		}
		f.result = f.db.Close()
	})
	return f.result
}

// view runs fn with a picture of the file that does not change.
func (f *file) view(fn func(*bbolt.Tx) error) error {
	return f.guard(func() error { return f.db.View(fn) })
}

// update runs fn and makes its changes permanent, unless it returns an error.
func (f *file) update(fn func(*bbolt.Tx) error) error {
	return f.guard(func() error { return f.db.Update(fn) })
}

// guard turns what a damaged file leads to into an error: the database panics
// where pages make no sense, and where the disk cannot deliver a mapped page the
// kernel sends a signal, which would end the process.
func (f *file) guard(transaction func() error) (err error) {
	if harm := f.harm.Load(); harm != nil {
		return *harm
	}
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if value := recover(); value != nil {
			harm := damaged(f.path, fmt.Sprint(value))
			if f.harm.CompareAndSwap(nil, &harm) {
				f.log.Error("the state file is damaged", zap.Error(harm), zap.Stack("stack"))
			}
			err = harm
		}
	}()
	err = transaction()
	if errors.Is(err, bolterrors.ErrDatabaseNotOpen) {
		return ErrClosed
	}
	return err
}

// damaged is ErrDamaged with its place and the mend.
func damaged(path, why string) error {
	return fmt.Errorf("%s: %w: %s: put back a copy of it, or move it away to begin without"+
		" what was in it", path, ErrDamaged, why)
}

// Newest is Events.Newest.
func (f *file) Newest(_ context.Context, log string) (uint64, error) {
	var newest uint64
	err := f.view(func(tx *bbolt.Tx) error {
		if events := tx.Bucket(logsBucket).Bucket([]byte(log)); events != nil {
			newest = events.Sequence()
		}
		return nil
	})
	return newest, err
}

// Follow is Events.Follow.
func (f *file) Follow(ctx context.Context, t Tail) ([]Event, error) {
	return f.bell.follow(ctx, t, f.closed, f.look)
}

// start runs the writer.
func (f *file) start() { safe.Go(f.log, "state: write", f.run) }

// parse reads a record. The value is the database's and lives as long as the
// transaction.
func parse(data []byte) (r record, err error) {
	if len(data) < header {
		return record{}, fmt.Errorf("a record of %d bytes", len(data))
	}
	return record{
		version: binary.BigEndian.Uint64(data),
		expires: int64(binary.BigEndian.Uint64(data[8:])),
		value:   data[header:],
	}, nil
}

// format is the opposite of parse.
func (r record) format() []byte {
	data := make([]byte, 0, header+len(r.value))
	data = binary.BigEndian.AppendUint64(data, r.version)
	data = binary.BigEndian.AppendUint64(data, uint64(r.expires))
	return append(data, r.value...)
}

func number(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }
