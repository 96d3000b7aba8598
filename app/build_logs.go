package app

import (
	"context"

	"go.uber.org/zap"

	"doorward/proxy"
)

// logSet are the logs of a generation.
type logSet struct {
	log *zap.Logger
}

func (g *generation) buildLogs(previous *generation) (err error) {
	g.log, err = zap.NewProduction()
	return err
}

func (l *logSet) accessLog() proxy.AccessLog { return nil }

func (l *logSet) close(context.Context) error { return nil }

func (g *generation) discardLogs(previous *generation) {}

func (g *generation) retireLogs(next *generation) {}
