"""What is loaded beside a model: LoRAs, ControlNets, IP-Adapters."""
