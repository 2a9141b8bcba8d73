-- Topics of services that came later.
insert into log.topic (name, partitions, retention) values ('domain.contact.events', 10, '7 days');
