package app

import (
	"context"
	"os"
	"reflect"
	"time"

	"doorward/alert"
	"doorward/config"
	"doorward/health"
	"doorward/mail"
)

// buildAlerts makes who tells people of changes; nobody when nobody is to be told.
// One whose configuration is the same goes on with what waits in it.
func (g *generation) buildAlerts(previous *generation) error {
	c, m := g.cfg.Alerts, g.cfg.Mail
	if len(c.Mail) == 0 && c.Webhook.Reveal() == "" {
		return nil
	}
	if previous != nil && reflect.DeepEqual(previous.cfg.Alerts, c) &&
		reflect.DeepEqual(previous.cfg.Mail, m) {
		g.alerts = previous.alerts
		return nil
	}
	host, _ := os.Hostname()
	options := alert.Options{
		To: c.Mail, Webhook: c.Webhook.Reveal(), Delay: time.Duration(c.Delay), Host: host,
		Log: g.log,
	}
	if len(c.Mail) > 0 {
		sender, err := newMailer(&m)
		if err != nil {
			return placed(g.cfg.At("mail"), err)
		}
		options.Mailer = sender
	}
	alerts, err := alert.New(options)
	g.alerts = alerts
	return placed(g.cfg.At("alerts"), err)
}

func newMailer(c *config.Mail) (*mail.Sender, error) {
	return mail.New(mail.Options{
		Host: c.Host, Port: c.Port, Username: c.Username, Password: c.Password.Reveal(),
		Security: c.Security, From: c.From, Timeout: time.Duration(c.Timeout), CAFile: c.CAFile,
	})
}

// alertFlush bounds how long messages that wait are still sent at the end.
const alertFlush = 5 * time.Second

// stopAlerts sends what waits and ends the alerts, unless the next generation has
// them.
func (g *generation) stopAlerts(next *generation) {
	if g.alerts == nil || next != nil && next.alerts == g.alerts {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), alertFlush)
	defer cancel()
	_ = g.alerts.Stop(ctx) // it logs what is lost
}

// changed is told of each server that goes up or down. It holds no lock of the
// instance, because a reload waits for those who call it.
func (a *App) changed(c health.Change) {
	g := a.live.Load()
	b := g.backends[c.Backend]
	if b == nil {
		return
	}
	if s := b.Server(c.Server); s != nil && !c.Up && g.closesOnDown(c.Backend) {
		a.engine.CloseTunnels(s)
	}
	if g.alerts == nil {
		return
	}
	servers := 0
	for _, s := range b.Servers() {
		if !s.Backup() {
			servers++
		}
	}
	g.alerts.Tell(alert.Event{
		At: c.At, Backend: c.Backend, Server: c.Server, Up: c.Up, Reason: c.Reason,
		LastState: c.LastState, Left: c.Left, Backups: c.Backups, Servers: servers,
	})
}

// left counts the servers of a backend that take requests, and the backup servers.
func (a *App) left(name string) (active, backups int) {
	b := a.live.Load().backends[name]
	if b == nil {
		return 0, 0
	}
	for _, s := range b.Servers() {
		switch {
		case !s.Usable():
		case s.Backup():
			backups++
		default:
			active++
		}
	}
	return active, backups
}

func (g *generation) closesOnDown(name string) bool {
	c := g.cfg.Backends[name]
	return c != nil && c.OnDown == "close"
}
