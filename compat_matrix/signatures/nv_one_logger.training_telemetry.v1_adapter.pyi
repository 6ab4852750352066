"""The v2 adapter's documented names."""

def configure_v2_adapter(v1_config):
    """one_logger_v1_adapter README: `configure_v2_adapter(v1_config)`"""

class ConfigAdapter:
    def convert_to_v2_config(v1_config):
        """one_logger_v1_adapter README: `ConfigAdapter.convert_to_v2_config(v1_config)`"""

class V1CompatibleExporter:
    def __init__(self, one_logger_config):
        """
        one_logger_v1_adapter README: `V1CompatibleExporter(one_logger_config=base_config, async_mode=True)`
        v2's export configuration: `V1CompatibleExporter(one_logger_config=config, config=settings)`
        """
