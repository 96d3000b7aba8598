package alert

import (
	"context"
	"errors"

	"doorward/mail"
)

// mailing tells by mail.
type mailing struct {
	to     []string
	mailer Mailer
	host   string
}

func (m mailing) prepare(b batch) attempt {
	message := mail.Message{To: m.to, Subject: headline(m.host, b), Text: body(m.host, b)}
	return func(ctx context.Context) error {
		err := m.mailer.Send(ctx, message)
		// Those who have it must not get it again.
		if e, ok := errors.AsType[*mail.SendError](err); ok && len(e.Undelivered) > 0 {
			message.To = e.Undelivered
		}
		return err
	}
}
