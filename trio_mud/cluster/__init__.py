"""A server in two processes: gateways hold the players' links, a world runs the dispatcher and the game.

    wire          the messages between them
    frames        batches of messages, as a cluster link carries them
    numbering     which of a connection's input the world has, and which is sent again
    states        the state machines of both sides, as tables
    ends          the two ends of a cluster link, which carries frames
    shares        which side enforces which limit
    forwarder     takes the input of one connection in the gateway
    gateway       the gateway's service
    remote_link   the link of one connection in the world
    pending       the output for the next commit of the world
    world         the world's service, with its listener in world_listener

`docs/project/cluster.md` has the way of a line through both, and the behaviour when one of them dies.
"""
