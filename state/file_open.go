package state

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
	"go.uber.org/zap"
)

// lockWait is how long to wait for another process to let go of the file: long
// enough for one that is just ending, short enough for the one who looks on.
const lockWait = time.Second

// openFile opens the file in the folder, and makes both if they are absent.
func openFile(folder string, o Options) (*file, error) {
	if err := prepareFolder(folder); err != nil {
		return nil, err
	}
	f := &file{
		path:    filepath.Join(folder, fileName),
		now:     o.Now,
		log:     o.Log,
		writes:  make(chan *write),
		closed:  make(chan struct{}),
		stopped: make(chan struct{}),
	}
	if f.log == nil {
		f.log = zap.NewNop()
	}
	err := inspectFile(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		err = create(f.path)
	}
	if err != nil {
		return nil, err
	}
	if err := f.guard(f.open); err != nil {
		if f.harm.Load() != nil && f.handle != nil {
			_ = release(f.handle)
		}
		return nil, err
	}
	f.start()
	return f, nil
}

// create makes a file with nothing in it beside the place where it belongs, and
// puts it there complete. So the place never has a half of one, even if this
// process is killed, and two that begin at once end up with the same file.
func create(path string) error {
	temporary, err := os.CreateTemp(filepath.Dir(path), "."+fileName+".*") // its mode is 0600
	if err != nil {
		return fmt.Errorf("%w: the folder has to belong to the user of this process", err)
	}
	made := temporary.Name()
	defer os.Remove(made)
	if err := temporary.Close(); err != nil {
		return err
	}
	db, err := bbolt.Open(made, 0o600, options(openExisting))
	if err != nil {
		return err
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		for _, name := range [][]byte{entriesBucket, logsBucket} {
			if _, err := tx.CreateBucket(name); err != nil {
				return err
			}
		}
		about, err := tx.CreateBucket(aboutBucket)
		if err != nil {
			return err
		}
		return about.Put(schemaKey, binary.BigEndian.AppendUint32(nil, schema))
	})
	if err := errors.Join(err, db.Close()); err != nil {
		return fmt.Errorf("create %s: %w", path, err)
	}
	return publish(made, path)
}

// options are those of the database. It waits for the disk at every write
// (NoSync is off), and when the file grows also for its new size (NoGrowSync is
// off): without that ext4 may know the pages after a crash and not the size.
func options(open func(string, int, fs.FileMode) (*os.File, error)) *bbolt.Options {
	return &bbolt.Options{
		Timeout:      lockWait,
		OpenFile:     open,
		FreelistType: bbolt.FreelistMapType,
		NoStatistics: true,
	}
}

// open opens the file that is there, and looks at all of it.
func (f *file) open() error {
	var err error
	f.db, err = bbolt.Open(f.path, 0o600, options(
		func(path string, flag int, mode fs.FileMode) (*os.File, error) {
			handle, err := openExisting(path, flag, mode)
			f.handle = handle
			return handle, err
		}))
	var system syscall.Errno
	switch {
	case errors.Is(err, bolterrors.ErrTimeout):
		return fmt.Errorf("%s: %w: end that one first, or give each a folder of its own in"+
			" [state] url", f.path, ErrLocked)
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return fmt.Errorf("%w: the user of this process has to be able to read and write it", err)
	case errors.As(err, &system):
		return fmt.Errorf("%s: %w", f.path, err)
	case err != nil:
		return damaged(f.path, err.Error())
	}
	if err := f.db.View(f.verify); err != nil {
		return errors.Join(err, f.db.Close())
	}
	return nil
}

// verify reads all that is in the file, so that damage shows when an operator
// looks on, and not when a session is looked up. It takes a second or so for
// each gigabyte.
func (f *file) verify(tx *bbolt.Tx) error {
	about, entries, logs := tx.Bucket(aboutBucket), tx.Bucket(entriesBucket), tx.Bucket(logsBucket)
	if about == nil {
		return damaged(f.path, "it was not written by doorward")
	}
	version := about.Get(schemaKey)
	switch {
	case len(version) != 4:
		return damaged(f.path, "it says no version")
	case binary.BigEndian.Uint32(version) > schema:
		return fmt.Errorf("%s was written by a newer doorward (format %d, this one knows %d):"+
			" run that version, or put back a copy from before the update",
			f.path, binary.BigEndian.Uint32(version), schema)
	case entries == nil || logs == nil:
		return damaged(f.path, "a part is missing")
	}
	err := errors.Join(entries.ForEach(sound), logs.ForEachBucket(func(name []byte) error {
		return logs.Bucket(name).ForEach(soundEvent)
	}))
	if err != nil {
		return damaged(f.path, err.Error())
	}
	return nil
}

func sound(key, data []byte) error {
	if _, err := parse(data); err != nil {
		return err
	}
	return checkKey(string(key))
}

func soundEvent(key, data []byte) error {
	if len(key) != 8 || data == nil {
		return errors.New("an event without a position")
	}
	return nil
}
